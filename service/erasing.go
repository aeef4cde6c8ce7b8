package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
)

// errEraseBusy says that a partition has something else to do first.
var errEraseBusy = errors.New("the partition is not served here now, or is being recovered")

// errStillOpen says that a state was made with data that is to be gone.
var errStillOpen = errors.New("the codec still reads an erased subject's data here")

func (o *owner) tenureOf(p int32) *tenure {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.tenure[p]
}

// erase replaces what a served partition has made of the data of erased subjects, unless that was done already. Most of the work goes on beside the
// commands: the journal is read once for all aggregates concerned, and only what was decided meanwhile is read while the partition is on hold.
//
//	await what is in hand ─▶ find the aggregates ─▶ fold them anew ─▶ hold ─▶ fold the rest ─▶ replace rows ─▶ serve ─▶ replace snapshots ─▶ note the erasures
//
// Whoever dies in between leaves nothing noted, so the next owner does it again. Whether it was done is noted with the rows themselves: an owner with
// an older copy of the rows does it in these, although the partition was acknowledged long ago.
func (o *owner) erase(ctx context.Context, p int32, erasures []crypto.Erasure) error {
	t := o.borrow(p)
	if t == nil {
		return errEraseBusy
	}
	defer t.done.Done()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.ctx, cancel)() //nolint:contextcheck // both bound it: the caller's and the tenure's
	e := &erasing{o: o, tenure: t, partition: p, found: map[string]bool{}, recoveries: t.recoveries.Load()}
	if o.board.state(o.group.Name(), p) != Serving { // looked at behind the count: a recovery that begins from here on counts one more
		return errEraseBusy
	}
	if err := e.owe(erasures); err != nil || len(e.ids) == 0 {
		return err
	}
	if err := e.hear(ctx); err != nil {
		return err
	}
	o.cfg.failpoint("erasing-heard")
	if o.awaitHands(ctx, p); ctx.Err() != nil { // what was sealed before is in hand at most, and in the index of subjects once it is stored
		return ctx.Err()
	}
	if err := e.run(ctx); err != nil {
		return err
	}
	o.cfg.failpoint("erasing-replaced")
	if err := e.note(ctx); err != nil {
		return err
	}
	o.cfg.failpoint("erasing-marked")
	return nil
}

// owe takes those of the erasures that are not noted with the rows.
func (e *erasing) owe(erasures []crypto.Erasure) error {
	done, err := e.o.states.Erased(e.partition)
	if err != nil {
		return err
	}
	for i := range erasures {
		one := &erasures[i]
		if _, is := slices.BinarySearch(done, one.ID); is {
			continue
		}
		e.subjects, e.ids = append(e.subjects, one.Subject), append(e.ids, one.ID)
		if !one.Reinstated {
			e.gone = append(e.gone, one.Subject)
		}
		e.o.privacy.forget(one.Subject)
	}
	return nil
}

// note notes the erasures with the rows, unless the partition was recovered meanwhile: rows that were read again from older snapshots are not the ones
// that were replaced.
func (e *erasing) note(ctx context.Context) error {
	e.tenure.turn.Lock()
	defer e.tenure.turn.Unlock()
	if e.tenure.recoveries.Load() != e.recoveries {
		return errEraseBusy
	}
	return e.o.states.Redact(ctx, e.partition, nil, e.ids)
}

// errNotHeard says that something could be opened and folded with keys that are destroyed.
var errNotHeard = errors.New("the key store here has not heard that the keys of an erased subject are destroyed")

// hear makes sure that nothing opens here any more with keys that are destroyed: what is folded or decided with one shows it in what is derived. A look-up may
// be answered by a copy of the keys that lags, so the key store is asked to its end.
func (e *erasing) hear(ctx context.Context) error {
	for _, ref := range e.gone {
		switch _, marked, err := e.o.privacy.config.Keys.Destroyed(ctx, ref); {
		case err != nil:
			return err
		case !marked:
			return errNotHeard
		}
		e.o.privacy.forget(ref)
	}
	return nil
}

// erasing is one erase under way.
type erasing struct {
	o         *owner
	tenure    *tenure
	partition int32
	subjects  []crypto.SubjectRef
	gone      []crypto.SubjectRef // those of them who have not come back
	ids       []string            // of the erasures
	found     map[string]bool
	refolding *muster.Refolding
	next      int64 // of the journal

	recoveries int64                          // of the tenure, as it began
	disclosed  bool                           // the states in clear were looked for
	clear      map[string][]crypto.SubjectRef // whose data lay there, by aggregate
}

// find gives the aggregates that have data of the subjects, and tells whether there are such as were not known before.
func (e *erasing) find(ctx context.Context) (all []string, fresh bool, err error) {
	if !e.disclosed { // once: nothing is written in clear beside this
		if e.clear, err = e.o.disclosing(ctx, e.partition, e.subjects); err != nil {
			return nil, false, err
		}
		for id := range e.clear {
			e.found[id], fresh = true, true
		}
		e.disclosed = true
	}
	for _, subject := range e.subjects {
		ids, err := e.o.states.Aggregates(e.partition, subject)
		if err != nil {
			return nil, false, err
		}
		for _, id := range ids {
			if !e.found[id] {
				e.found[id], fresh = true, true
			}
		}
	}
	for id := range e.found {
		all = append(all, id)
	}
	return all, fresh, nil
}

func (e *erasing) run(ctx context.Context) error {
	ids, some, err := e.find(ctx)
	if err != nil || !some {
		return err
	}
	o, p := e.o, e.partition
	e.refolding = o.processor.Refold(p, ids)
	ends, err := consumer.EndOffsets(ctx, o.reader, []int32{p})
	if err == nil {
		err = e.read(ctx, ends[p])
	}
	if err != nil {
		return err
	}
	o.cfg.failpoint("erasing-folded")
	states, err := e.replace(ctx)
	if err != nil || len(states) == 0 {
		return err
	}
	o.cfg.failpoint("erasing-rows")
	return o.snapshots.replace(ctx, p, states)
}

// read folds the journal up to an offset.
func (e *erasing) read(ctx context.Context, to int64) (err error) {
	e.next, err = consumer.ReadJournal(ctx, e.o.reader, e.partition, e.next, to, e.refolding.Add, func(at int64) {
		e.o.log.Info("an erasure waits for an open transaction to end", "group", e.o.group.Name(), "partition", e.partition, "offset", at)
	})
	return err
}

// replace holds the partition for as long as it takes to fold what was decided meanwhile and to write the rows.
func (e *erasing) replace(ctx context.Context) (states []muster.StoredState, err error) {
	o, p, t := e.o, e.partition, e.tenure
	t.turn.Lock()
	defer t.turn.Unlock()
	if !o.board.suspends(o.group.Name(), p, "erasing") {
		return nil, errEraseBusy
	}
	o.consumer.Hold(p)
	_ = o.consumer.Quiet(t.ctx, p) //nolint:contextcheck // only the end of the tenure makes it unneeded to put the partition back
	o.awaitHands(t.ctx, p)         //nolint:contextcheck // likewise
	if t.ctx.Err() != nil || !o.board.is(o.group.Name(), p, Recovering, "erasing") {
		return nil, errEraseBusy // a lane has suspended the partition, and it is recovered as soon as the turn is free
	}
	defer func() {
		o.board.set(o.group.Name(), p, Serving, "", nil)
		t.change.Serve(p)
	}()
	at, _ := o.states.Checkpoint(p)
	if at.Next > e.next { // a checkpoint may lie before the marker that was read
		if err := e.read(ctx, at.Next); err != nil {
			return nil, err
		}
	}
	if _, fresh, err := e.find(ctx); err != nil || fresh {
		return nil, errors.Join(err, errEraseBusy) // decided just before the keys were gone; once more with it
	}
	return e.put(ctx)
}

// put replaces the rows by what was folded. Nobody has the partition in hand.
func (e *erasing) put(ctx context.Context) (states []muster.StoredState, err error) {
	o, p := e.o, e.partition
	if states, err = e.refolding.States(); err != nil {
		return nil, err
	}
	if err := e.closed(states); err != nil {
		return nil, err
	}
	e.index(states)
	if err := o.states.Redact(ctx, p, states, nil); err != nil {
		return nil, err
	}
	o.processor.Forget(p, states)
	o.log.Info("states of erased subjects replaced", "group", o.group.Name(), "partition", p, "states", len(states), "erasures", len(e.ids))
	return states, nil
}

// index has the index of subjects know of what lay in clear: nothing else tells of it once the rows are replaced, and the snapshots are still to be.
func (e *erasing) index(states []muster.StoredState) {
	for i := range states {
		for _, ref := range e.clear[states[i].AggregateID] {
			if !slices.Contains(states[i].Subjects, ref) {
				states[i].Subjects, states[i].Unindexed = append(states[i].Subjects, ref), states[i].Unindexed+1
			}
		}
	}
}

// closed tells that nothing is sealed for an erased subject in new states: else the codec of this process does not know of the erasure yet.
func (e *erasing) closed(states []muster.StoredState) error {
	attributor, does := e.o.cfg.codec().(muster.Attributor)
	if !does {
		return nil
	}
	for i := range states {
		for _, ref := range attributor.Subjects(nil, states[i].Data) {
			if slices.Contains(e.gone, ref) {
				return fmt.Errorf("%s[%d]: %w; is it one over the key store of Config.Erasure?", e.o.group.Name(), e.partition, errStillOpen)
			}
		}
	}
	return nil
}

// replace puts states over those in the snapshots topic. Its own passes read the store under the same lock, so none lays an older state over these.
func (s *snapshots) replace(ctx context.Context, p int32, states []muster.StoredState) error {
	s.passing.Lock()
	defer s.passing.Unlock()
	for chunk := range slices.Chunk(states, 1000) {
		for i := range chunk { // what was decided since is newer
			now, err := s.o.states.Load(p, chunk[i].AggregateID)
			if err != nil {
				return err
			}
			if now.Revision < chunk[i].Revision {
				return errEraseBusy // the partition is read anew, and has not come to it
			}
			chunk[i] = now
		}
		if err := s.o.producer.WriteSnapshots(ctx, p, chunk, nil); err != nil {
			return err
		}
	}
	return nil
}
