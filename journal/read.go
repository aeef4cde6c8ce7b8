package journal

import (
	"errors"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// Load gives the stored state of an aggregate; Revision 0 when there is none. It costs a read of Pebble, from memory in the good case; an
// aggregate that does not exist costs a look at the bloom filters. Errors: [muster.ErrNotHeld], [ErrCorrupt], [ErrStore], [ErrClosed].
func (g *GroupStore) Load(partition int32, aggregateID string) (muster.StoredState, error) {
	p, err := g.begin(partition)
	if err != nil {
		return muster.StoredState{}, err
	}
	defer g.s.disk.End()
	return g.load(p, aggregateID)
}

// load is Load within a call that has begun.
func (g *GroupStore) load(p *partition, aggregateID string) (muster.StoredState, error) {
	value, closer, err := g.s.db.Get(p.prefix.key(kindState, aggregateID))
	state := muster.StoredState{}
	switch {
	case err == nil:
		if state, err = decodeState(value); err != nil {
			err = undecodable(err)
		}
		_ = closer.Close()
	case errors.Is(err, pebble.ErrNotFound):
		err = nil
	}
	if err = g.s.faultOn("load a state of ", g, p.number, err); err != nil {
		return muster.StoredState{}, err
	}
	state.AggregateID = aggregateID
	return state, nil
}

// Answered gives what is remembered of a command id, and false when nothing is. An id that is not remembered costs no read. Errors are
// those of Load.
func (g *GroupStore) Answered(partition int32, commandID string) (muster.Remembered, bool, error) {
	p, err := g.held(partition)
	if err != nil {
		return muster.Remembered{}, false, err
	}
	if err := g.s.disk.Err(); err != nil {
		return muster.Remembered{}, false, err
	}
	p.mu.RLock()
	places := p.window.find(commandID)
	p.mu.RUnlock()
	if len(places) == 0 {
		return muster.Remembered{}, false, nil
	}
	if err := g.s.begin(); err != nil {
		return muster.Remembered{}, false, err
	}
	defer g.s.disk.End()
	for _, at := range places {
		answer, ok, err := g.confirm(p, at, commandID)
		if err = g.s.faultOn("look up a command id of ", g, partition, err); err != nil {
			return muster.Remembered{}, false, err
		}
		if ok {
			return answer, true, nil
		}
	}
	return muster.Remembered{}, false, nil
}

// confirm reads the answer at a place, unless the id there is another one or the batch was evicted in between.
func (g *GroupStore) confirm(p *partition, at found, commandID string) (muster.Remembered, bool, error) {
	none := muster.Remembered{}
	value, closer, err := g.s.db.Get(p.prefix.answers(at.sequence))
	if errors.Is(err, pebble.ErrNotFound) {
		return none, false, nil
	}
	if err != nil {
		return none, false, err
	}
	defer func() { _ = closer.Close() }()
	record, err := openAnswers(value)
	if err != nil {
		return none, false, undecodable(err)
	}
	id, _, err := record.id(at.place)
	if err != nil {
		return none, false, undecodable(err)
	}
	if string(id) != commandID {
		return none, false, nil
	}
	answer, err := record.answer(at.place)
	if err != nil {
		return none, false, undecodable(err)
	}
	return answer, true, nil
}

// Each calls fn with all stored states of an open partition in the order of their ids, as they are when it begins, and stops at fn's first
// error, which it returns. The states are fn's to keep. Close waits for it.
func (g *GroupStore) Each(partition int32, fn func(muster.StoredState) error) error {
	p, err := g.begin(partition)
	if err != nil {
		return err
	}
	defer g.s.disk.End()
	const doing = "read all states of "
	rows, err := g.s.db.NewIter(&pebble.IterOptions{LowerBound: p.prefix.key(kindState, ""), UpperBound: p.prefix.key(kindState+1, "")})
	if err != nil {
		return g.s.faultOn(doing, g, partition, err)
	}
	stopped := error(nil)
	for rows.First(); rows.Valid() && err == nil && stopped == nil; rows.Next() {
		value, valueErr := rows.ValueAndErr()
		if err = valueErr; err != nil {
			break
		}
		state, decodeErr := decodeState(value)
		if decodeErr != nil {
			err = undecodable(decodeErr)
			break
		}
		state.AggregateID = string(rows.Key()[headBytes:])
		stopped = fn(state)
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return g.s.faultOn(doing, g, partition, err)
	}
	if stopped == nil {
		return g.s.Failed()
	}
	return stopped
}

// faultOn is fault with a partition's name, put together only when it is needed.
func (s *Store) faultOn(doing string, g *GroupStore, partition int32, err error) error {
	if err == nil && s.disk.Failed() == nil {
		return nil
	}
	return s.fault(doing+g.title(partition), err)
}
