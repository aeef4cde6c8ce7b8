package projector

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
)

// worker works on one held shard, in one goroutine. It claims the shard, and follows the journals until there is something to see to: orders, a
// stop, a fault, the end.
type worker struct {
	held   *held
	r      *Runner
	d      *Definition
	shard  Shard
	ctx    context.Context
	cancel context.CancelFunc
	intake intake
	ended  chan struct{} // closed when run has returned
	hand   hand          // the function in hand; the watchdog looks at it
	asks   chan letterAsk
	from   Journal
	inTurn atomic.Bool // see beginTurn; written by the worker, and by who abandons it

	mu        sync.Mutex // guards what follows: abandon is called by others
	holding   Holding    // written by the worker; nil where none is claimed
	abandoned atomic.Bool

	// What follows belongs to the worker.
	sources  []source       // in the order of shard.Sources
	index    map[Source]int // into sources
	last     int            // the source of the item before, which mostly is that of the next one
	acts     int64          // the last act that is done
	taken    *orders        // what was last looked at
	paused   bool           // as of taken
	accepts  bool           // an operator goes on without what was trimmed
	stop     *stopped       // why the shard does not go on
	skip     *act           // an act to skip that waits for its event
	carry    []Item         // events of a command that is not there in full, cloned
	torn     []bool         // by source; see cut
	stage    stage          // what the batch in hand adds
	text     textSlab       // of running
	running  Running        // the same for all events, filled in for each
	personal func(any) bool // see Running.Personal
	moved    bool           // a commit succeeded since the claim
	idle     *time.Timer    // ends waiting for more when there is something to commit, or carried events to give up waiting for the rest of
	idled    atomic.Bool    // it has
}

// source is what a worker knows of one of its sources.
type source struct {
	Source
	group   *muster.Group
	cp      Checkpoint // as committed; of no source but one that has started
	started bool       // it has a checkpoint
	next    int64      // where it goes on: beyond cp.Next only over what is nothing to apply
	mark    int64      // events below are replayed
	open    bool       // the last item seen is not the end of its command
	proof   bool       // cp.LastEvent is read again, and must be the same
	tail    int64      // offset of the last item in the delivery in hand
	ahead   readAhead
	end     int64 // where it goes on behind that item
}

// stopped says why a shard cannot go on.
type stopped struct {
	reason string
	at     muster.Position // of the event it stopped at; zero where it is no event
	typ    string
	err    error
	acts   int64 // the number of the last act there was; a newer one may let it go on
}

// Error gives the text of the cause.
func (s *stopped) Error() string { return s.err.Error() }

// faulty is a fault of the target or the brokers, by its reason.
type faulty struct {
	reason string
	err    error
}

// Error gives the text of the cause.
func (f *faulty) Error() string { return f.err.Error() }

// errNews ends following for something to see to.
var errNews = errors.New("there is something to see to")

func newWorker(ctx context.Context, h *held, stop *stopped) *worker {
	w := &worker{
		held: h, r: h.runner, d: h.runner.d, shard: h.shard, ended: make(chan struct{}), asks: make(chan letterAsk, 16), index: map[Source]int{}, stop: stop,
		from: h.runner.journalOf(&h.shard),
	}
	w.ctx, w.cancel = context.WithCancel(ctx)
	w.intake.parent = w.ctx
	w.running.Shard = h.shard
	if sealer, seals := w.r.config.Codec.(muster.Sealer); seals && !w.d.discloses {
		w.personal = sealer.Personal
	}
	w.torn = make([]bool, len(h.shard.Sources))
	w.stage.places = make([]place, len(h.shard.Sources))
	for i, s := range h.shard.Sources {
		w.index[s] = i
		w.sources = append(w.sources, source{Source: s, group: w.r.groupOf(s), mark: w.r.config.Mark[s]})
	}
	w.idle = time.AfterFunc(time.Hour, func() {
		w.idled.Store(true)
		w.intake.wake()
	})
	w.idle.Stop()
	return w
}

// journalOf gives what a shard is read from.
func (r *Runner) journalOf(s *Shard) Journal {
	if s.Standby && r.config.StandbyJournal != nil {
		return r.config.StandbyJournal
	}
	return r.config.Journal
}

func (r *Runner) groupOf(s Source) *muster.Group {
	for _, g := range r.d.groups {
		if g.JournalTopic(r.config.Prefix) == s.Topic {
			return g
		}
	}
	return nil
}

// run is the goroutine. It ends when the shard is given up, or the worker was abandoned.
func (w *worker) run() {
	defer close(w.ended)
	defer w.idle.Stop()
	for faults := 1; !w.leaving(); faults++ {
		w.moved = false
		err := w.hold()
		w.letGo()
		if w.abandoned.Load() {
			return
		}
		if err == nil || w.leaving() {
			continue
		}
		if w.moved {
			faults = 1
		}
		if stop, is := errors.AsType[*stopped](err); is { // of a target that cannot be claimed
			if err = w.unfit(stop); err == nil {
				w.standStill(stop)
				w.waitForAct()
				w.stop = nil
				continue
			}
		}
		w.away(err)
		sleep(w.ctx, w.held.leave, backoff(w.r.config.RetryFirst, w.r.config.RetryTop, faults))
	}
}

// leaving tells that the shard is to be given up.
func (w *worker) leaving() bool {
	select {
	case <-w.held.leave:
		return true
	default:
		return w.ctx.Err() != nil || w.abandoned.Load()
	}
}

// hold claims the shard and works on it. Nil: it is to be given up.
func (w *worker) hold() error {
	if w.stop == nil {
		w.held.progress.enter(Claiming, "", nil, "")
	}
	shard := w.shard
	shard.Erased = w.r.orders.Load().erased(w.shard.Number)
	holding, err := w.r.config.Target.Claim(w.ctx, shard)
	if err != nil {
		return w.storeFault("it cannot be claimed", err)
	}
	if !w.take(holding) {
		holding.Release()
		return nil
	}
	stored, err := holding.Stored(w.ctx)
	if err != nil {
		return w.storeFault("what is stored cannot be read", err)
	}
	if err := w.restore(stored); err != nil {
		return err
	}
	for !w.leaving() {
		if err := w.seeTo(); err != nil {
			return err
		}
		ctx := w.intake.context()
		if err := w.answer(); err != nil {
			return err
		}
		switch {
		case w.news():
		case w.paused:
			w.held.progress.enter(Paused, "", nil, "")
			w.wait(ctx)
		case w.stop != nil:
			w.held.progress.enter(Stopped, w.stop.reason, w.stop.err, positionText(w.stop.at))
			w.wait(ctx)
		default:
			err := w.follow()
			if stop, is := errors.AsType[*stopped](err); is {
				if err = w.unfit(stop); err == nil {
					w.standStill(stop)
				}
			}
			if err != nil && !errors.Is(err, errNews) {
				return err
			}
		}
	}
	return nil
}

// take keeps the holding where abandon finds it. False: the worker was abandoned meanwhile.
func (w *worker) take(h Holding) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.abandoned.Load() {
		return false
	}
	w.holding = h
	return true
}

// letGo releases what is claimed, unless abandon has.
func (w *worker) letGo() {
	w.mu.Lock()
	h := w.holding
	w.holding = nil
	w.mu.Unlock()
	if h != nil {
		h.Release()
	}
}

// abandon leaves the worker's goroutine behind: whatever it is stuck in, its holding is released, so that it cannot commit, and it ends when it comes
// back. False: it has ended by itself.
func (w *worker) abandon(ctx context.Context, reason string) bool {
	w.mu.Lock()
	h := w.holding
	w.holding = nil
	w.abandoned.Store(true)
	w.mu.Unlock()
	w.cancel()
	select {
	case <-w.ended:
		return false
	default:
	}
	if h != nil {
		h.Release()
	}
	w.endTurn()
	typ, _, _ := w.hand.seen(0)
	w.r.config.Logger.ErrorContext(ctx, "a function has not returned long after its context ended, and its goroutine is left behind; it can commit nothing any more; make it heed its context",
		"projection", w.shard.Projection, "shard", w.shard.Number, "type", typ, "reason", reason)
	if abandoned := w.r.config.Observe.Abandoned; abandoned != nil {
		abandoned(Abandoned{Shard: w.shard, Type: typ, Reason: reason})
	}
	return true
}

// wait returns when there may be news.
func (w *worker) wait(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-w.held.leave:
	}
}

// standStill stops the shard, for all to see.
func (w *worker) standStill(stop *stopped) {
	stop.acts = w.r.orders.Load().latest()
	w.stop = stop
	w.held.progress.enter(Stopped, stop.reason, stop.err, positionText(stop.at))
	attrs := []any{"projection", w.shard.Projection, "shard", w.shard.Number, "reason", stop.reason}
	if !stop.at.IsZero() {
		attrs = append(attrs, "position", stop.at.String(), "type", stop.typ)
	}
	if stop.reason == ReasonAhead || stop.reason == ReasonRecreated || stop.reason == ReasonStore || stop.reason == ReasonBadRecord || stop.reason == ReasonTrimmed {
		attrs = append(attrs, "error", stop.err)
	}
	w.r.config.Logger.ErrorContext(w.ctx, "the shard has stopped; mend the cause and resume it, skip the event, or restart from another position", attrs...)
}

// waitForAct waits, without a holding, for an act that lets the shard go on.
func (w *worker) waitForAct() {
	for {
		ctx := w.intake.context()
		if w.leaving() || w.r.orders.Load().revives(w.shard.Number, w.stop.acts) {
			return
		}
		w.wait(ctx)
	}
}

// away shows a fault of the target or the brokers.
func (w *worker) away(err error) {
	reason := ReasonStore
	if f, is := errors.AsType[*faulty](err); is {
		reason = f.reason
	}
	if errors.Is(err, ErrFenced) {
		reason = ReasonFenced
	}
	if w.stop == nil {
		w.held.progress.enter(Away, reason, err, "")
	}
	w.r.config.Logger.WarnContext(w.ctx, "the shard cannot be worked on now, trying again", "projection", w.shard.Projection, "shard", w.shard.Number,
		"reason", reason, "error", err)
	if fault := w.r.config.Observe.Fault; fault != nil {
		fault(Fault{Shard: w.shard, Reason: reason, Err: err})
	}
}

// storeFault wraps an error of the target.
func (w *worker) storeFault(what string, err error) error {
	if errors.Is(err, ErrUnfit) {
		return &stopped{reason: ReasonStore, err: fmt.Errorf("projection %s: %s: %w", w.shard, what, err)}
	}
	reason := ReasonStore
	if class := muster.PayloadFaultOf(err); class.Passing() {
		reason = class.Reason()
	}
	return &faulty{reason, fmt.Errorf("projection %s: %s: %w", w.shard, what, err)}
}

// Unwrap gives the cause.
func (f *faulty) Unwrap() error { return f.err }

func (w *worker) journalFault(what string, err error) error {
	return &faulty{ReasonJournal, fmt.Errorf("projection %s: %s: %w", w.shard, what, err)}
}

func positionText(p muster.Position) string {
	if p.IsZero() {
		return ""
	}
	return p.String()
}
