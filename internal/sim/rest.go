package sim

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/kafka"
)

// rest waits until everybody serves and nothing lags, and notes what does not come to that within ctx.
func (w *world) rest(ctx context.Context) {
	w.lag = map[string]int64{}
	for _, p := range w.processes {
		if p.name == newcomer {
			continue
		}
		if err := persist(ctx, func() error { return p.serves(ctx) }); err != nil {
			w.fault("I10: %s does not serve: %v", p.name, err)
		}
	}
	for {
		_, left, err := history.ReadConsumed(ctx, kadm.NewClient(w.raw), "", w.ledger.group)
		if err == nil && left == 0 {
			break
		}
		if !pause(ctx, retryPause) {
			w.lag[w.ledger.group.Name()] = left
			w.fault("I10: commands are left: %d, %v", left, err)
			break
		}
	}
	if err := persist(ctx, func() error { return w.caughtUp(ctx) }); err != nil {
		w.fault("I10: %s: %v", viewName, err)
	}
}

// persist tries until there is no error, or ctx has ended; then it gives the last one.
func persist(ctx context.Context, try func() error) error {
	for {
		err := try()
		if err == nil || !pause(ctx, retryPause) {
			return err
		}
	}
}

func (p *process) serves(ctx context.Context) error {
	if l := p.current(); l != nil {
		return l.AwaitReady(ctx)
	}
	return errDown
}

var errDown = errors.New("it has not started")

// caughtUp waits until the view has applied the journal.
func (w *world) caughtUp(ctx context.Context) error {
	journal, err := history.Read(ctx, kafka.Config{Brokers: w.brokers}, w.ledger.group)
	if err != nil {
		return err
	}
	l := w.process(projection).current()
	if l == nil {
		return errDown
	}
	for _, events := range journal.Events {
		if len(events) > 0 {
			if err := l.AwaitView(ctx, w.ledger.view.Definition().Name(), 1, events[len(events)-1].Position()); err != nil {
				return err
			}
		}
	}
	return nil
}
