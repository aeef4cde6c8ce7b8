package muster

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Replay folds a stretch of the journal onto what is stored, in log order, and gives what to store. next is the offset after the stretch.
// Events that the store has already are passed over. It is for a partition that was taken and has no round in hand.
func (p *Processor) Replay(partition int32, events []Event, next int64) (Changes, error) {
	f, err := p.Folding(partition)
	if err != nil {
		return Changes{}, err
	}
	if err := f.Add(events); err != nil {
		return Changes{}, err
	}
	return f.Cut(next)
}

// Folding folds the journal of one partition in memory, over as many events as its caller has room for: reading states back between
// stretches is what a long recovery would spend its time with.
//
//	folding, err := p.Folding(partition)
//	for each stretch: folding.Add(events), and when folding.Bytes() is too much, or at the end: states.Store(folding.Cut(next))
//
// It is for a partition that was taken and has no round in hand, and for one goroutine. How often it is cut does not change any state.
type Folding struct {
	p         *Processor
	partition int32
	owned     *owned
	all       bool // see RememberAll
	bytes     int64
	touched   map[*resident]lastFolded // since the last Cut
	changes   Changes
}

// lastFolded says which event gave a state, for the fault when that cannot be encoded. An [Event] would keep what it was decoded from.
type lastFolded struct {
	position Position
	kind     string
}

// Folding begins one.
func (p *Processor) Folding(partition int32) (*Folding, error) {
	o := p.take(partition)
	if o == nil {
		return nil, fmt.Errorf("%s[%d]: %w", p.behaviour.group.name, partition, ErrNotHeld)
	}
	return &Folding{p: p, partition: partition, owned: o, touched: map[*resident]lastFolded{}, changes: Changes{Partition: partition}}, nil
}

// RememberAll makes Add take the answers of events that are passed over, too. That is for states that came from snapshots: they are
// ahead of what is remembered of the commands behind them.
func (f *Folding) RememberAll() { f.all = true }

// What one resident and one answer take beside their bytes, roughly.
const (
	residentBytes = 400
	answerBytes   = 200
)

// Add folds events that follow those before. Nothing of events is kept. After an error the folding is of no use any more.
func (f *Folding) Add(events []Event) error {
	for i := range events {
		e := &events[i]
		r := f.owned.resident(e.AggregateID)
		if !r.loaded {
			if err := f.load(r, e.AggregateID); err != nil {
				return err
			}
		}
		known := e.Offset <= r.offset && r.revision > 0
		if !known {
			if err := f.p.fold(r, e); err != nil {
				return err
			}
			r.offset = e.Offset
			f.touched[r] = lastFolded{e.Position(), e.Type}
			f.bytes += int64(len(e.Payload))
		}
		if known && !f.all {
			continue
		}
		f.changes.LastEvent, f.changes.LastAt, f.changes.Time = e.ID, e.Offset, e.Time
		if e.Last() && e.Answer != nil {
			f.changes.Answers = append(f.changes.Answers, Remembered{
				CommandID: strings.Clone(e.CausationID), Fingerprint: e.Fingerprint, Revision: e.Revision, Offset: e.Offset, Time: e.Time,
				Outcome: bytes.Clone(e.Answer),
			})
			f.bytes += int64(answerBytes + len(e.CausationID) + len(e.Answer))
		}
	}
	f.changes.LastEvent = strings.Clone(f.changes.LastEvent)
	return nil
}

// load makes a resident usable. Its id outlives the event, whose texts lie in one piece of memory.
func (f *Folding) load(r *resident, id string) error {
	if err := f.p.load(f.partition, r); err != nil {
		return err
	}
	delete(f.owned.young, id)
	r.id = strings.Clone(id)
	f.owned.young[r.id] = r
	f.bytes += int64(residentBytes + len(id) + r.stored)
	return nil
}

// Bytes estimates the memory that was taken since the last Cut: states at what was stored of them and what has been folded in since.
func (f *Folding) Bytes() int64 { return f.bytes }

// Cut gives what to store, up to the offset next, and begins anew behind it. It must be stored before the next Add.
func (f *Folding) Cut(next int64) (Changes, error) {
	c := f.changes
	c.Next = next
	c.States = make([]StoredState, 0, len(f.touched))
	for r, last := range f.touched {
		data, err := f.p.encodeState(r)
		if err != nil {
			return Changes{}, &FoldFault{Position: last.position, Type: last.kind, AggregateID: r.id, Revision: r.revision, Cause: err}
		}
		c.States = append(c.States, r.toStore(data))
	}
	slices.SortFunc(c.States, func(a, b StoredState) int { return cmp.Compare(a.AggregateID, b.AggregateID) })
	f.changes, f.bytes = Changes{Partition: f.partition}, 0
	clear(f.touched)
	o := f.owned
	o.next, o.markers, o.loose = next, 0, false
	if o.endRound(); len(o.old) > o.limit { // what a long stretch has decoded is more than a partition may hold on to
		o.old, o.young = map[string]*resident{}, map[string]*resident{}
		f.touched = map[*resident]lastFolded{}
	}
	return c, nil
}

// CheckState tells whether this build can read an encoded state, such as one out of a snapshot. Nothing is kept of it.
func (p *Processor) CheckState(partition int32, s *StoredState) error {
	if _, err := p.decodeState(s); err != nil {
		return &StateFault{Partition: partition, AggregateID: s.AggregateID, Cause: err}
	}
	return nil
}
