package projector

import (
	"context"
	"errors"
	"time"

	"github.com/seed-3eec0498/muster"
)

// watchOrders passes on what operators want to the shards held here.
func (r *Runner) watchOrders(ctx context.Context) {
	for {
		select {
		case <-r.takeTable():
		case <-ctx.Done():
			return
		}
	}
}

// takeTable reads the control table, and gives the channel that tells of changes.
func (r *Runner) takeTable() <-chan struct{} {
	entries, changed := r.config.Control.Entries()
	o, faults := readOrders(entries, r.d.String())
	if o.same(r.orders.Load()) {
		return changed
	}
	for _, fault := range faults {
		r.config.Logger.Error("the control table holds what cannot be obeyed", "projection", r.d.String(), "error", fault)
	}
	r.orders.Store(o)
	r.each(func(h *held) {
		h.mu.Lock()
		w := h.worker
		h.mu.Unlock()
		w.intake.wake()
	})
	return changed
}

// news tells whether there is something to see to.
func (w *worker) news() bool {
	if w.leaving() {
		return true
	}
	o := w.r.orders.Load()
	if o == w.taken {
		return false
	}
	if o.pauses(w.shard.Number) != w.paused || o.pending(w.shard.Number, max(w.acts, w.pendingSkip())) {
		return true
	}
	w.taken = o
	return false
}

// pendingSkip gives the number of the act that waits for its event; those behind it wait, too, until that is skipped.
func (w *worker) pendingSkip() int64 {
	if w.skip != nil {
		return 1<<63 - 1
	}
	return 0
}

// seeTo does what operators want now.
func (w *worker) seeTo() error {
	o := w.r.orders.Load()
	w.taken, w.paused = o, o.pauses(w.shard.Number)
	for i := range o.acts {
		a := &o.acts[i]
		if w.leaving() || w.skip != nil {
			return nil
		}
		if a.number <= w.acts || !a.concerns(w.shard.Number) {
			continue
		}
		if err := w.do(a); err != nil {
			return err
		}
	}
	return nil
}

// do does one act, and commits its number with its effect.
func (w *worker) do(a *act) error {
	w.r.config.Logger.InfoContext(w.ctx, "an operator's order is carried out", "projection", w.shard.Projection, "shard", w.shard.Number, "order", a.Kind, "by", a.By)
	switch a.Kind {
	case actSkip:
		return w.doSkip(a)
	case actRestart:
		return w.doRestart(a)
	case actRetry:
		if err := w.retry(a); err != nil {
			return err
		}
	case actDrop:
		return w.drop(a)
	case actErase:
		return w.erase(a)
	case actResume:
		w.accepts = w.stop != nil && w.stop.reason == ReasonTrimmed && a.lists(w.stop.at)
		w.goOn()
	}
	return w.commitChange(&Change{Acts: a.number})
}

// goOn ends a stop or a pause, in the status too, before the order is told to be carried out: whoever gave it finds the shard at work.
func (w *worker) goOn() {
	w.stop = nil
	if !w.paused {
		w.held.progress.reading()
	}
}

// doSkip has the event passed over when it comes: it is the next one, for the shard stopped there or is paused there.
func (w *worker) doSkip(a *act) error {
	w.goOn()
	if len(a.At) == 1 {
		if s := w.locate(Source{a.At[0].Topic, a.At[0].Partition}); s != nil && s.cp.Next <= a.At[0].Offset {
			w.skip = a
			return nil
		}
	}
	return w.commitChange(&Change{Acts: a.number}) // it is passed already
}

// skipPassed ends an act to skip whose record did not come: compaction has taken it meanwhile.
func (w *worker) skipPassed() error {
	if w.skip == nil {
		return nil
	}
	at := w.skip.At[0]
	if s := w.locate(Source{at.Topic, at.Partition}); s.next <= at.Offset {
		return nil
	}
	return w.commitChange(&Change{Acts: w.skip.number})
}

// doRestart moves the checkpoints. Rows stay as they are; letters of events that come again go.
func (w *worker) doRestart(a *act) error {
	change := Change{Acts: a.number}
	for i := range w.sources {
		s := &w.sources[i]
		offset := int64(-1)
		for _, at := range a.At {
			if at.Topic == s.Topic && at.Partition == s.Partition {
				offset = at.Offset
			}
		}
		if len(a.At) > 0 && offset < 0 {
			continue
		}
		cp, err := w.start(s)
		if err != nil {
			return err
		}
		if len(a.At) > 0 {
			cp.Next = offset
		}
		s.next = cp.Next
		change.Checkpoints = append(change.Checkpoints, cp)
		change.Remove = append(change.Remove, w.held.progress.lettersFrom(s.Source, cp.Next)...)
	}
	w.goOn()
	return w.commitChange(&change)
}

// drop removes letters: of one key, or one, and then what waited behind it is tried.
func (w *worker) drop(a *act) error {
	change := Change{Acts: a.number, Remove: w.held.progress.lettersOf(a.Key, a.Letter)}
	if err := w.commitChange(&change); err != nil {
		return err
	}
	if a.Letter == "" {
		return nil
	}
	return w.retryKeys(func(key string) bool { return !w.held.progress.parkedFirst(key) })
}

// retry runs the functions for letters again: one skipped letter, the letters of one key, or those of all keys.
func (w *worker) retry(a *act) error {
	if a.Letter == "" {
		return w.retryKeys(func(key string) bool { return a.Key == "" || key == a.Key })
	}
	stored, err := w.holding.Stored(w.ctx)
	if err != nil {
		return w.storeFault("its letters cannot be read", err)
	}
	for i := range stored.Letters {
		if l := &stored.Letters[i]; l.ID == a.Letter {
			_, err := w.retryLetter(l)
			return err
		}
	}
	return nil
}

// retryKeys runs what is parked under each key in order, up to its first failure.
func (w *worker) retryKeys(wanted func(key string) bool) error {
	stored, err := w.holding.Stored(w.ctx)
	if err != nil {
		return w.storeFault("its letters cannot be read", err)
	}
	failed := map[string]bool{}
	for i := range stored.Letters {
		l := &stored.Letters[i]
		if l.Kind == Skipped || failed[l.Key] || !wanted(l.Key) {
			continue
		}
		if w.leaving() {
			return errNews // the act is not done; who holds the shard next goes on
		}
		ok, err := w.retryLetter(l)
		if err != nil {
			return err
		}
		failed[l.Key] = !ok
	}
	return nil
}

// retryLetter runs the function for a letter. What it wrote is committed together with the removal of the letter; after a failure the letter
// stays, with the new cause.
func (w *worker) retryLetter(l *Letter) (bool, error) {
	f, err := w.tryLetter(l)
	if blame, is := errors.AsType[*Blame](err); is {
		f, err = &failure{ReasonHandler, blame.Err}, nil
	}
	if err != nil || f == nil {
		return err == nil, err
	}
	w.failed(&Item{Source: Source{l.Event.Topic, l.Event.Partition}, Event: &l.Event}, f.reason, l.Attempts+1)
	if l.Kind == Waiting {
		l.Kind = Parked
	}
	l.Reason, l.Cause, l.Attempts = f.reason, plainText(textOf(f.err)), l.Attempts+1
	l.At = w.r.config.Now().UTC().Truncate(time.Microsecond)
	return false, w.commitChange(&Change{Put: []Letter{*l}})
}

func (w *worker) tryLetter(l *Letter) (*failure, error) {
	if l.Reason == ReasonBadRecord {
		return &failure{l.Reason, errors.New(l.Cause)}, nil
	}
	ev := &l.Event
	run, _, err := w.choose(ev)
	if errors.Is(err, errUnknownType) && w.d.policy(ReasonUnknownType).Then != Ignore {
		return &failure{ReasonUnknownType, err}, nil
	}
	if err != nil && !errors.Is(err, errUnknownType) {
		return w.failureOf(err), nil
	}
	w.stage.reset()
	w.stage.began = w.r.config.Now()
	batch, checked, err := w.begin()
	if err != nil {
		return nil, err
	}
	if run != nil {
		w.locate(Source{ev.Topic, ev.Partition})
		if err := w.call(batch, checked, run, ev, l.Key); err != nil {
			batch.Rollback()
			return w.charge(err)
		}
	}
	return nil, w.commit(batch, &Change{Remove: []string{l.ID}})
}

// letterPlace is the journal's record that a letter is of.
func letterPlace(ev *muster.Event) (Source, int64) {
	return Source{ev.Topic, ev.Partition}, ev.Offset
}
