package muster

import (
	"errors"
	"fmt"
)

// Refolding folds all events of some aggregates of a partition anew, beside what the partition does meanwhile: what can no longer be read of their
// events must not live on in what was made of it.
//
//	refolding := p.Refold(partition, ids)
//	refolding.Add(every stretch of the journal, from its beginning to where the store is); states, err := refolding.States()
//
// Where the journal has no events of an aggregate before a revision, because they were trimmed, or the group keeps only the latest, its stored state is
// decoded and encoded again instead: the codec leaves out what it withholds. It is for one goroutine.
type Refolding struct {
	p         *Processor
	partition int32
	owned     *owned
	trimmed   map[string]bool
}

// Refold begins one. The partition need not be taken; its store must be open.
func (p *Processor) Refold(partition int32, ids []string) *Refolding {
	f := &Refolding{p: p, partition: partition, owned: newOwned(partition, len(ids), 0), trimmed: map[string]bool{}}
	for _, id := range ids {
		r := f.owned.resident(id)
		r.loaded = true
		if p.behaviour.zero != nil {
			r.state = p.behaviour.zero()
		}
	}
	return f
}

// Add folds the events of these aggregates that follow those before and passes over all others. Nothing of events is kept. A [FoldFault] means that an
// evolve function does not bear what is absent from its event.
func (f *Refolding) Add(events []Event) error {
	for i := range events {
		e := &events[i]
		r := f.owned.young[e.AggregateID]
		if r == nil || f.trimmed[e.AggregateID] || e.Revision <= r.revision {
			continue
		}
		err := f.p.fold(r, e)
		if _, gap := errors.AsType[*RevisionGap](err); gap && r.revision == 0 {
			f.trimmed[r.id] = true
			continue
		}
		if err != nil {
			return err
		}
		r.offset = e.Offset
	}
	return nil
}

// errRefoldBehind says that Add has not seen all that is stored.
var errRefoldBehind = errors.New("its events were not read to where the store is")

// States gives what to store in place of what is there. Nothing may be decided in the partition between the last Add and the storing.
func (f *Refolding) States() ([]StoredState, error) {
	var states []StoredState
	for id, r := range f.owned.young {
		stored, err := f.p.states.Load(f.partition, id)
		if err != nil {
			return nil, fmt.Errorf("%s[%d]: load state: %w", f.p.behaviour.group.name, f.partition, err)
		}
		if stored.Revision == 0 {
			continue // there was no event yet, or no longer one
		}
		if f.trimmed[id] || r.revision == 0 {
			if r.state, err = f.p.decodeState(&stored); err != nil {
				return nil, &StateFault{Partition: f.partition, AggregateID: id, Cause: err}
			}
			r.revision = stored.Revision
		}
		if r.revision != stored.Revision {
			return nil, fmt.Errorf("%s[%d]: refold at revision %d of %d: %w", f.p.behaviour.group.name, f.partition, r.revision, stored.Revision, errRefoldBehind)
		}
		data, err := f.p.encodeState(r)
		if err != nil {
			return nil, &StateFault{Partition: f.partition, AggregateID: id, Cause: err}
		}
		// Whose data the aggregate had stays known: an export says that it is erased.
		stored.Data, stored.Unindexed = data, 0
		states = append(states, stored)
	}
	return states, nil
}

// Forget drops what is held decoded of aggregates whose stored states were replaced. No round may have the partition in hand.
func (p *Processor) Forget(partition int32, states []StoredState) {
	o := p.take(partition)
	if o == nil {
		return
	}
	for i := range states {
		delete(o.young, states[i].AggregateID)
		delete(o.old, states[i].AggregateID)
	}
}

// ReadEvent decodes an event of the group as the fold would, and tells what is withheld of it; where nothing is folded, as the contract declares it.
// Unimplemented: the group has no such event.
func (b *Behaviour) ReadEvent(codec Codec, e *Event) (any, Redaction, error) {
	decode := b.evolve[e.Type].event
	if b.zero == nil {
		b.group.mu.Lock()
		decode = b.group.events[e.Type]
		b.group.mu.Unlock()
	}
	if decode == nil {
		return nil, Redaction{}, refuse(Unimplemented, ReasonNoHandler, "group %s has no event %s; was it written by a newer build?", b.group.name, e.Type)
	}
	return decode(codec, eventPlace(e), e.Payload)
}
