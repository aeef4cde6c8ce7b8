package journal

import (
	"encoding/binary"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
)

// View is one moment of a partition, as [GroupStore.Changed] saw it.
type View struct {
	Checkpoint
	States int // how many there are
}

// Changed calls fn with the states whose last event lies at or behind the journal offset since, in the order of their ids, as they are when
// it begins, and tells which moment that is. fn may keep the states; its first error ends the scan and is returned. It reads all states
// of the partition, in the background of whatever else goes on. Close waits for it. Errors are those of Load.
func (g *GroupStore) Changed(partition int32, since int64, fn func(muster.StoredState) error) (View, error) {
	p, err := g.begin(partition)
	if err != nil {
		return View{}, err
	}
	defer g.s.disk.End()
	const doing = "scan the states of "
	// The meta row stands in front of the states, so one iterator sees both as of one moment.
	rows, err := g.s.db.NewIter(&pebble.IterOptions{LowerBound: p.prefix.key(kindMeta, ""), UpperBound: p.prefix.key(kindState+1, "")})
	if err != nil {
		return View{}, g.s.faultOn(doing, g, partition, err)
	}
	view, stopped := View{Checkpoint: Checkpoint{LastAt: -1}}, error(nil)
	for rows.First(); rows.Valid() && err == nil && stopped == nil; rows.Next() {
		value, valueErr := rows.ValueAndErr()
		if err = valueErr; err != nil {
			break
		}
		if kind(rows.Key()[prefixBytes]) == kindMeta {
			err = view.read(value)
			continue
		}
		view.States++
		if len(value) >= stateBytes && int64(binary.BigEndian.Uint64(value[9:])) < since {
			continue // not decoded: most of them, where little has changed
		}
		state, decodeErr := decodeState(value)
		if decodeErr != nil {
			err = undecodable(decodeErr)
			break
		}
		state.AggregateID = string(rows.Key()[headBytes:])
		stopped = fn(state)
	}
	if err = errors.Join(err, rows.Close()); err != nil || g.s.Failed() != nil {
		return View{}, g.s.faultOn(doing, g, partition, err)
	}
	return view, stopped
}

func (v *View) read(value []byte) error {
	m, err := decodeMeta(value)
	if err != nil {
		return undecodable(err)
	}
	v.Checkpoint = Checkpoint{Next: m.journal, LastEvent: m.lastEvent, LastAt: m.lastAt, TopicID: m.topic}
	if m.time != 0 {
		v.Time = time.UnixMicro(m.time).UTC()
	}
	return nil
}

// OldestAnswer gives the journal offset of the oldest event whose command is remembered, and false when there is none: refusals have no
// place in the journal. From there on the journal must be read to remember them all again.
func (g *GroupStore) OldestAnswer(partition int32) (offset int64, ok bool, err error) {
	p, err := g.begin(partition)
	if err != nil {
		return 0, false, err
	}
	defer g.s.disk.End()
	rows, err := g.s.db.NewIter(&pebble.IterOptions{LowerBound: p.prefix.answers(0), UpperBound: p.prefix.key(kindAnswers+1, "")})
	if err != nil {
		return 0, false, g.s.faultOn("read the oldest answer of ", g, partition, err)
	}
	for rows.First(); rows.Valid() && !ok && err == nil; rows.Next() {
		value, valueErr := rows.ValueAndErr()
		if err = valueErr; err == nil {
			offset, ok, err = firstOffset(value)
		}
	}
	err = errors.Join(err, rows.Close())
	return offset, ok, g.s.faultOn("read the oldest answer of ", g, partition, err)
}

// firstOffset gives the offset of the first answer of a record that belongs to an event.
func firstOffset(value []byte) (int64, bool, error) {
	record, err := openAnswers(value)
	for i := 0; i < record.count && err == nil; i++ {
		var a muster.Remembered
		if a, err = record.answer(i); err == nil && a.Offset >= 0 {
			return a.Offset, true, nil
		}
	}
	if err != nil {
		err = undecodable(err)
	}
	return 0, false, err
}
