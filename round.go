package muster

import (
	"fmt"
	"sync/atomic"
	"time"
)

// Round decides one batch, in slices, so that its output stays bounded whatever its commands emit.
//
//	for units := round.Slice(64); len(units) > 0 && round.Produced() < limit; units = round.Slice(n) { run every unit }
//	sink.Commit(ctx, round.Decision()); changes, replies := round.Settle()
//
// A round whose decision was not committed is given back with [Round.Abort].
type Round struct {
	p        *Processor
	batch    *Batch
	culprits map[string]*RecordFault // command id -> why its events can never be written
	held     map[int32]*owned
	decided  []decided
	next     int // commands before it are in a slice
	consumed int // commands before it are in the progress of their partitions

	decision Decision
	produced atomic.Int64          // bytes of events and answers; the units add
	fault    atomic.Pointer[error] // the first failure that is no refusal; the units set it
}

// decided is what became of one command. Its unit writes it.
type decided struct {
	outcome     *Outcome
	events      []Event
	written     []Written
	r           *resident     // whose events these are; nil without events
	dead        *Error        // not nil: a dead letter with this cause
	sealed      *sealedLetter // not nil: what stands in that letter in place of the payload
	lasting     bool          // the outcome is the answer to every repeat of the id
	stored      []byte        // the outcome as it is kept
	fingerprint uint32
	first       int      // index of the first command of the round with this id; its own index when it is that
	again       int      // on the first: index of the repeat that was executed after all; 0 means none
	repeats     *decided // not nil: this one got that one's answer
	recalls     *decided // not nil: it asked for the result of that one
	at          int      // index of its first event in the decision
	waits       *Tries   // not nil: it was not decided and is to be handed in again
}

func (d *decided) reset() { *d = decided{first: d.first} }

// Begin starts a round. Every partition of the batch must have been taken. Culprits are commands that an earlier attempt found impossible
// to write; they are refused.
func (p *Processor) Begin(batch *Batch, culprits map[string]*RecordFault) (*Round, error) {
	batch.Now = batch.Now.UTC().Truncate(time.Microsecond) // what the wire holds
	r := &Round{p: p, batch: batch, culprits: culprits, held: map[int32]*owned{}, decided: make([]decided, len(batch.Commands))}
	for i := range batch.Commands {
		partition := batch.Commands[i].Partition
		if r.held[partition] == nil {
			if r.held[partition] = p.take(partition); r.held[partition] == nil {
				return nil, fmt.Errorf("%s[%d]: %w; its commands wait for a new owner", p.behaviour.group.name, partition, ErrNotHeld)
			}
			r.held[partition].begin(batch.Progress)
		}
		batch.Commands[i].Attempt = batch.Attempt + batch.Commands[i].tries().Executions
	}
	return r, nil
}

// Slice takes up to n further commands and groups them by aggregate. Units of one slice may run at the same time; all of them must have
// ended before the next slice.
func (r *Round) Slice(n int) []*Unit {
	begin, end := r.next, min(r.next+n, len(r.batch.Commands))
	if r.failed() || begin == end {
		return nil
	}
	r.consume()
	for _, o := range r.held {
		o.slices++
	}
	room, units := make([]Unit, end-begin), make([]*Unit, 0, end-begin)
	for i := begin; i < end; i++ {
		cmd := &r.batch.Commands[i]
		if !r.held[cmd.Partition].admit(cmd.Offset) {
			end = i
			break
		}
		if r.settledAtOnce(i) {
			continue
		}
		if !r.link(i, begin) {
			end = i
			break
		}
		o := r.held[cmd.Partition]
		of := o.resident(cmd.AggregateID)
		if of.slice != o.slices {
			of.slice, of.unit = o.slices, len(units)
			u := &room[len(units)]
			u.round, u.owned, u.r, u.items = r, o, of, u.first[:0]
			u.mark, u.blocked = len(of.accepted), of.blocked == o.round
			units = append(units, u)
		}
		units[of.unit].items = append(units[of.unit].items, i)
	}
	r.next = end
	if len(units) == 0 && end > begin {
		return r.Slice(n) // nothing but settled ones; an empty slice means the end
	}
	return units
}

// settledAtOnce refuses what no unit needs to see.
func (r *Round) settledAtOnce(i int) bool {
	cmd, d := &r.batch.Commands[i], &r.decided[i]
	d.first = i
	refusal := cmd.Fault
	if culprit := r.culprits[cmd.ID]; culprit != nil && culprit.Partition == cmd.Partition {
		refusal = culprit.refusal(cmd)
	}
	if refusal != nil {
		refusal.toolkit = true
		d.outcome = outcomeOf(refusal)
		r.bury(i, refusal)
		return true
	}
	return false
}

func (f *RecordFault) refusal(cmd *Command) *Error {
	if f.Target != "" {
		return refuse(FailedPrecondition, ReasonNoTarget, "a command that %s writes to group %s cannot be written: %v", cmd.Type, f.Target, f.Cause)
	}
	return refuse(Internal, ReasonTooLarge, "a record of %s cannot be written: %v", cmd.Type, f.Cause)
}

// link notes which commands of the round share an id. It reports false when the answer depends on another unit of the slice that begins at
// begin: then this command is for the next slice.
func (r *Round) link(i, begin int) bool {
	cmd := &r.batch.Commands[i]
	if r.p.behaviour.isQuery(cmd.Type) {
		return true // a query is asked anew each time, whatever its id
	}
	seen := r.held[cmd.Partition].seen
	first, known := seen[cmd.ID]
	switch {
	case !known:
		seen[cmd.ID] = i
	case first >= begin:
		if r.batch.Commands[first].AggregateID != cmd.AggregateID {
			return false
		}
		r.decided[i].first = first
	default:
		if first = r.latest(first); r.decided[first].lasting {
			r.decided[i].first = first
		} else {
			seen[cmd.ID] = i
		}
	}
	return true
}

// latest follows the repeats that were executed because what came before them had no lasting answer.
func (r *Round) latest(i int) int {
	for r.decided[i].again != 0 {
		i = r.decided[i].again
	}
	return i
}

// Produced gives the bytes of events and answers so far.
func (r *Round) Produced() int64 { return r.produced.Load() }

// Taken gives the number of commands that are decided once the units of the last slice have run. The rest belongs to a later batch.
func (r *Round) Taken() int { return r.next }

// Err gives the failure that is no command's refusal: the store cannot be read, or a stored event cannot be folded. Nothing of the round
// may be committed then.
func (r *Round) Err() error {
	if err := r.fault.Load(); err != nil {
		return *err
	}
	return nil
}

func (r *Round) fail(err error) { r.fault.CompareAndSwap(nil, &err) }

func (r *Round) failed() bool { return r.fault.Load() != nil }

// Abort forgets what the round decided: its transaction was aborted, or is unknown.
func (r *Round) Abort() {
	if keepAborted {
		return
	}
	r.collect()
	for _, o := range r.held {
		o.forget()
	}
}

// collect finds the residents that accepted events.
func (r *Round) collect() {
	for i := range r.decided[:r.next] {
		if d := &r.decided[i]; d.r != nil && len(d.r.accepted) > 0 && &d.r.accepted[0][0] == &d.events[0] {
			o := r.held[r.batch.Commands[i].Partition]
			o.dirty = append(o.dirty, d.r)
		}
	}
}

// Decision gives what the round's commands lead to, for the sink.
func (r *Round) Decision() *Decision {
	total := 0
	for i := range r.decided[:r.next] {
		total += len(r.decided[i].events)
	}
	d := &r.decision
	*d = Decision{Group: r.p.behaviour.group, Events: make([]Event, 0, total)}
	r.consume()
	for i := range r.decided[:r.next] {
		cmd, one := &r.batch.Commands[i], &r.decided[i]
		if halfCommand && len(one.events) > 1 {
			one.events = one.events[:len(one.events)-1]
		}
		one.at = len(d.Events)
		d.Events = append(d.Events, one.events...)
		d.Commands = append(d.Commands, one.written...)
		if one.dead != nil {
			d.Dead = append(d.Dead, DeadLetter{Command: one.letter(cmd), Cause: *one.dead, Time: r.batch.Now})
		}
	}
	for _, o := range r.held {
		if o.moved {
			d.Offsets = append(d.Offsets, o.progress)
		}
	}
	sortProgress(d.Offsets)
	return d
}
