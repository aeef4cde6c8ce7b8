package sim

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster/internal/history"
)

// Outcome is what a run has shown.
type Outcome struct {
	Violations error          // of the invariants; nil: none
	Invariants []string       // that were checked
	Record     history.Record // of the run
	Notes      []string       // what happened, in order
	Figures    Figures
}

// Figures are the size of a run.
type Figures struct {
	Calls, Queries, Events, Attempts, Crashes int
	Took, Rest                                time.Duration // of all; from the end of the faults to the last answer
}

// String gives the figures on one line.
func (f Figures) String() string {
	return fmt.Sprintf("%d calls in %d attempts, %d queries, %d events, %d crashes of owners, %v, at rest %v after the faults",
		f.Calls, f.Attempts, f.Queries, f.Events, f.Crashes, f.Took.Round(time.Millisecond), f.Rest.Round(time.Millisecond))
}

// Run runs the system under a plan, lets it come to rest, and holds what happened against the invariants. The error is about the run itself, not
// about the system: it could not be started, or ctx has ended.
func Run(ctx context.Context, settings Settings) (*Outcome, error) {
	w, err := open(ctx, settings)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", settings.Seed, err)
	}
	out, err := w.play(ctx)
	if err != nil {
		return nil, fmt.Errorf("seed %d: %w", settings.Seed, err)
	}
	return out, nil
}

// play does the whole run and closes the world.
func (w *world) play(ctx context.Context) (*Outcome, error) {
	defer w.close()
	calling, giveUp := context.WithCancel(ctx)
	defer giveUp()
	worked := make(chan struct{})
	go func() {
		defer close(worked)
		w.work(calling)
	}()
	w.inject(ctx)
	ended := time.Now()
	w.note("the faults have ended")
	bound := time.AfterFunc(w.settings.Within+time.Second, giveUp)
	defer bound.Stop()
	<-worked
	rested := time.Now()
	w.note("the last call has ended")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	resting, cancel := context.WithTimeout(ctx, w.settings.Within)
	defer cancel()
	w.rest(resting)
	w.verify(ctx)
	record, err := w.dump(ctx)
	if err != nil {
		return nil, err
	}
	record.End = &history.End{FaultsEnded: ended, Within: w.settings.Within, Lag: w.lag}
	contract := w.ledger.contract()
	out := &Outcome{Record: *record, Invariants: record.Invariants(contract)}
	out.Violations = errors.Join(append(w.faults, record.Check(contract))...)
	out.Notes = w.notes
	out.Figures = Figures{
		Calls: len(record.Calls), Queries: len(record.Queries), Events: record.Journal.Len(), Crashes: w.crashes,
		Took: time.Since(w.began), Rest: max(rested.Sub(ended), 0),
	}
	for i := range record.Calls {
		out.Figures.Attempts += record.Calls[i].Attempts
	}
	return out, nil
}
