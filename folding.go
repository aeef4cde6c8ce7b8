package muster

import (
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
	kind      string       // type of the last event folded in
	touched   []lastFolded // since the last Cut, one for each resident
	changes   Changes
}

// lastFolded says which event gave a state, for the fault when that cannot be encoded. An [Event] would keep what it was decoded from.
type lastFolded struct {
	r        *resident
	position Position
	kind     string
}

// Folding begins one.
func (p *Processor) Folding(partition int32) (*Folding, error) {
	o := p.take(partition)
	if o == nil {
		return nil, fmt.Errorf("%s[%d]: %w", p.behaviour.group.name, partition, ErrNotHeld)
	}
	return &Folding{p: p, partition: partition, owned: o, changes: Changes{Partition: partition}}, nil
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
	before := len(f.changes.Answers)
	defer func() { f.own(f.changes.Answers[before:]) }()
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
			f.touch(r, e)
			f.bytes += int64(len(e.Payload))
		}
		if known && !f.all {
			continue
		}
		f.changes.LastEvent, f.changes.LastAt, f.changes.Time = e.ID, e.Offset, e.Time
		if e.Last() && e.Answer != nil && !dedupNotRebuilt {
			if n := len(f.changes.Answers); n == cap(f.changes.Answers) { // append would take four times as many steps
				f.changes.Answers = slices.Grow(f.changes.Answers, max(n, len(events)))
			}
			f.changes.Answers = append(f.changes.Answers, Remembered{
				CommandID: e.CausationID, Fingerprint: e.Fingerprint, Revision: e.Revision, Offset: e.Offset, Time: e.Time, Outcome: e.Answer,
			})
			f.bytes += int64(answerBytes + len(e.CausationID) + len(e.Answer))
		}
	}
	f.changes.LastEvent = strings.Clone(f.changes.LastEvent)
	return nil
}

// own makes answers independent of the events they came from, with two allocations for all of them.
func (f *Folding) own(answers []Remembered) {
	ids, outcomes := 0, 0
	for i := range answers {
		ids, outcomes = ids+len(answers[i].CommandID), outcomes+len(answers[i].Outcome)
	}
	var texts strings.Builder
	texts.Grow(ids)
	for i := range answers {
		texts.WriteString(answers[i].CommandID)
	}
	rest, mem := texts.String(), make([]byte, 0, outcomes)
	for i := range answers {
		a := &answers[i]
		a.CommandID, rest = rest[:len(a.CommandID)], rest[len(a.CommandID):]
		at := len(mem)
		mem = append(mem, a.Outcome...)
		a.Outcome = mem[at:len(mem):len(mem)]
	}
}

// touch notes that e gave the state of r.
func (f *Folding) touch(r *resident, e *Event) {
	if f.kind != e.Type {
		f.kind = strings.Clone(e.Type) // the event's own lies in one piece of memory with its other texts
	}
	n := r.touched
	if n >= len(f.touched) || f.touched[n].r != r {
		n = len(f.touched)
		r.touched, f.touched = n, append(f.touched, lastFolded{r: r})
	}
	f.touched[n].position, f.touched[n].kind = e.Position(), f.kind
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
	for i := range f.touched {
		last, r := &f.touched[i], f.touched[i].r
		data, err := f.p.encodeState(r)
		if err != nil {
			return Changes{}, &FoldFault{Position: last.position, Type: last.kind, AggregateID: r.id, Revision: r.revision, Cause: err}
		}
		c.States = append(c.States, r.toStore(data))
	}
	slices.SortFunc(c.States, func(a, b StoredState) int { return cmp.Compare(a.AggregateID, b.AggregateID) })
	f.changes, f.bytes = Changes{Partition: f.partition}, 0
	clear(f.touched)
	f.touched = f.touched[:0]
	o := f.owned
	o.next, o.markers, o.loose = next, 0, false
	if o.endRound(); len(o.old) > o.limit { // what a long stretch has decoded is more than a partition may hold on to
		o.old, o.young = map[string]*resident{}, map[string]*resident{}
		f.touched = nil
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
