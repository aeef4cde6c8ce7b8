package projector

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// failure is why an event could not be handled.
type failure struct {
	reason string
	err    error
}

// stage is what the batch in hand adds to what is stored; nothing of it counts before the commit.
type stage struct {
	change Change
	keys   map[string]bool // parked by the batch
	ran    int             // functions
	passed int             // events nobody wanted
	began  time.Time
	places []place // what the sources have come to, by index
}

// place is the last item of a source in the batch.
type place struct {
	moved bool
	next  int64
	last  *muster.Event // nil where no event was among the items
}

func (g *stage) reset() {
	g.change = Change{Checkpoints: g.change.Checkpoints[:0], Put: g.change.Put[:0]}
	clear(g.keys)
	clear(g.places)
	g.ran, g.passed = 0, 0
}

// apply applies items as one batch. Where one fails, what is before it is applied again and committed, it is tried alone, by its policy, and the
// rest goes on as a batch.
func (w *worker) apply(items []Item) error {
	for len(items) > 0 {
		n, fault, err := w.attempt(items, 1)
		if err != nil || fault == nil {
			return err
		}
		if err := w.apply(items[:n]); err != nil {
			return err
		}
		if err := w.alone(&items[n], fault); err != nil {
			return err
		}
		items = items[n+1:]
	}
	return nil
}

// attempt runs the functions of items in one batch and commits it. Where one fails, it gives its place and why, and nothing has happened.
func (w *worker) attempt(items []Item, try int) (int, *failure, error) {
	if !w.beginTurn() {
		return 0, nil, errNews
	}
	defer w.endTurn()
	w.stage.reset()
	w.stage.began = w.r.config.Now()
	w.held.progress.hands(&items[0])
	batch, checked, err := w.begin()
	if err != nil {
		return 0, nil, err
	}
	for i := range items {
		fault, err := w.one(batch, checked, &items[i], try)
		if err == nil && fault == nil {
			continue
		}
		batch.Rollback()
		if err != nil {
			return w.blamed(items, i, err)
		}
		return i, fault, nil
	}
	w.checkpoints()
	if err := w.commit(batch, &w.stage.change); err != nil {
		return w.blamed(items, len(items)-1, err)
	}
	return 0, nil, nil
}

// blamed finds the event that a target holds responsible for a failure that came up behind its function.
func (w *worker) blamed(items []Item, upTo int, err error) (int, *failure, error) {
	blame, is := errors.AsType[*Blame](err)
	if !is {
		return 0, nil, err
	}
	for i := range items[:upTo+1] {
		if it := &items[i]; it.Bad == nil && w.idOf(it.Event) == blame.ID {
			return i, &failure{ReasonHandler, blame.Err}, nil
		}
	}
	return upTo, &failure{ReasonHandler, blame.Err}, nil
}

func (w *worker) begin() (Batch, Checked, error) {
	if w.holding == nil {
		return nil, nil, w.storeFault("it is not claimed", errors.New("released"))
	}
	batch, err := w.holding.Begin(w.ctx)
	if err != nil {
		return nil, nil, w.storeFault("a batch cannot be begun", err)
	}
	checked, _ := batch.(Checked)
	return batch, checked, nil
}

// one handles one item within a batch.
func (w *worker) one(batch Batch, checked Checked, it *Item, try int) (*failure, error) {
	w.step(it)
	ev := it.Event
	switch {
	case w.skip != nil && w.skip.names(ev):
		w.stage.change.Acts = w.skip.number
		return nil, w.putAside(it, Skipped, ReasonSkipped, nil, 0)
	case it.Bad != nil:
		return w.unhandled(it, ReasonBadRecord, it.Bad, try)
	}
	run, key, err := w.choose(ev)
	switch {
	case errors.Is(err, errUnknownType):
		return w.unhandled(it, ReasonUnknownType, err, try)
	case err != nil:
		return w.failureOf(err), nil
	case run == nil, w.d.effects && ev.Offset < w.sources[w.last].mark: // the latter was there before the rebuild: what it does outside is done
		w.stage.passed++
		return nil, nil //nolint:nilnil // no failure and no fault
	case w.isParked(key):
		return nil, w.putAside(it, Waiting, "", nil, 0)
	}
	w.stage.ran++
	err = w.call(batch, checked, run, ev, key)
	if err == nil {
		return nil, nil //nolint:nilnil // likewise
	}
	f, err := w.charge(err)
	if err != nil {
		return nil, err
	}
	if f.reason == ReasonUndecodable || f.reason == ReasonTampered || f.reason == ReasonErased { // its function has not run, so the batch is as it was
		w.stage.ran--
		return w.unhandled(it, f.reason, f.err, try)
	}
	return f, nil
}

// step notes how far the batch leads.
func (w *worker) step(it *Item) {
	s := w.locate(it.Source)
	at := &w.stage.places[w.last]
	at.moved, at.next = true, it.Event.Offset+1
	if it.Event.Offset == s.tail {
		at.next = s.end
	}
	if it.Bad == nil {
		at.last = it.Event
	}
}

// charge tells a failure of the event from what no event is charged with: a fault of the target, the end of the work.
func (w *worker) charge(err error) (*failure, error) {
	_, blame := errors.AsType[*Blame](err)
	_, late := errors.AsType[*overrun](err)
	switch {
	case w.ctx.Err() != nil:
		return nil, errNews
	case blame:
		return nil, err
	case !late && (errors.Is(err, ErrStore) || errors.Is(err, ErrFenced)):
		return nil, w.storeFault("it cannot be used now", err)
	}
	return w.failureOf(err), nil
}

// unhandled is an item that no function can get: it is put aside in the same batch, where its policy says so at once.
func (w *worker) unhandled(it *Item, reason string, err error, try int) (*failure, error) {
	p := w.d.policy(reason)
	if p.Then == Stop || try < p.Tries {
		return &failure{reason, err}, nil
	}
	w.failed(it, reason, try)
	if p.Then == Ignore {
		if ignored := w.r.config.Observe.Ignored; ignored != nil {
			ignored(Ignored{Shard: w.shard, Type: it.Event.Type})
		}
		w.stage.passed++
		return nil, nil //nolint:nilnil // likewise
	}
	return nil, w.putAside(it, kindOf(p.Then), reason, err, try)
}

func kindOf(o Outcome) Kind {
	if o == Park {
		return Parked
	}
	return Skipped
}

// checkpoints fills in where the batch leads to.
func (w *worker) checkpoints() {
	for i := range w.stage.places {
		at := &w.stage.places[i]
		if !at.moved {
			continue
		}
		cp := w.sources[i].cp
		cp.Next = at.next
		if at.last != nil {
			cp.LastEvent, cp.LastAt, cp.Time = strings.Clone(at.last.ID), at.last.Offset, at.last.Time
		}
		w.stage.change.Checkpoints = append(w.stage.change.Checkpoints, cp)
	}
}

// commit makes a batch durable, and then counts it.
func (w *worker) commit(batch Batch, change *Change) error {
	if w.abandoned.Load() {
		batch.Rollback()
		return errNews
	}
	if err := batch.Commit(w.ctx, *change); err != nil {
		batch.Rollback()
		if _, is := errors.AsType[*Blame](err); is {
			return err
		}
		return w.storeFault("a batch cannot be committed", err)
	}
	w.moved = true
	for i := range change.Checkpoints {
		cp := &change.Checkpoints[i]
		s := w.locate(cp.Source)
		s.cp, s.started, s.next = *cp, true, max(s.next, cp.Next)
	}
	if change.Acts != 0 {
		w.acts = change.Acts
	}
	if w.skip != nil && w.skip.number <= w.acts {
		w.skip = nil
	}
	w.committed(change)
	return nil
}

// committed tells everyone who is interested: last those that wait for it, who then find it counted.
func (w *worker) committed(change *Change) {
	now := w.r.config.Now()
	o := &w.r.config.Observe
	if o.Applied != nil && len(change.Checkpoints) > 0 {
		o.Applied(Applied{Shard: w.shard, Events: w.stage.ran, Passed: w.stage.passed, Took: now.Sub(w.stage.began)})
	}
	for i := range change.Put {
		l := &change.Put[i]
		if l.Cause == CauseErased { // it was put aside long ago
			continue
		}
		if o.PutAside != nil {
			o.PutAside(PutAside{Shard: w.shard, Kind: l.Kind, Reason: l.Reason})
		}
		if l.Kind != Waiting {
			level := slog.LevelWarn
			if l.Reason == ReasonTampered {
				level = slog.LevelError
			}
			w.r.config.Logger.Log(w.ctx, level, "an event was put aside", "projection", w.shard.Projection, "shard", w.shard.Number, "kind", string(l.Kind),
				"reason", l.Reason, "position", l.ID, "type", l.Event.Type)
		}
	}
	w.held.progress.commits(now, change, w.sources, w.stage.ran+w.stage.passed)
}

// commitChange commits a change that no function wrote to.
func (w *worker) commitChange(change *Change) error {
	w.stage.reset()
	w.stage.began = w.r.config.Now()
	batch, _, err := w.begin()
	if err != nil {
		return err
	}
	return w.commit(batch, change)
}

// failed tells of one try.
func (w *worker) failed(it *Item, reason string, try int) {
	if failed := w.r.config.Observe.Failed; failed != nil {
		failed(Failed{Shard: w.shard, Source: it.Source, Offset: it.Event.Offset, Type: it.Event.Type, Reason: reason, Try: try})
	}
}

// putAside stages a letter, unless there are too many.
func (w *worker) putAside(it *Item, kind Kind, reason string, cause error, tries int) error {
	if most := w.r.config.MaxLetters; len(w.held.progress.letters)+len(w.stage.change.Put) >= most {
		return &stopped{reason: ReasonLetters, at: it.Event.Position(), typ: it.Event.Type, err: fmt.Errorf(
			"projection %s: %d events lie aside, and no more are put there; mend the cause and retry them or drop them, then resume the shard", w.shard, most)}
	}
	l := Letter{
		ID: it.Event.Position().String(), Kind: kind, Reason: reason, Attempts: tries, At: w.r.config.Now().UTC().Truncate(time.Microsecond),
		Event: *cloneEvent(it.Event),
	}
	if cause != nil {
		l.Cause = plainText(textOf(cause))
	}
	if it.Bad == nil {
		l.Key = strings.Clone(w.keyOf(it.Event))
		if kind == Parked {
			if w.stage.keys == nil {
				w.stage.keys = map[string]bool{}
			}
			w.stage.keys[l.Key] = true
		}
	}
	w.stage.change.Put = slices.DeleteFunc(w.stage.change.Put, func(have Letter) bool { return have.ID == l.ID })
	w.stage.change.Put = append(w.stage.change.Put, l)
	return nil
}

func (w *worker) isParked(key string) bool { return w.stage.keys[key] || w.held.progress.parked(key) }
