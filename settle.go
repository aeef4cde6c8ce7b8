package muster

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Settle is called once the decision is committed: it gives what to store, and after that what to answer. Gaps are the partitions whose
// new events do not lie where this owner's own writes put them: somebody else writes to the journal, so they must be read again before
// anything further is decided.
func (r *Round) Settle() (changes []Changes, replies []Reply, gaps []int32) {
	r.collect()
	byPartition := make(map[int32]*settling, len(r.held))
	replies = make([]Reply, 0, r.next)
	perPartition := make(map[int32]int, len(r.held))
	for i := range r.decided[:r.next] {
		if d := &r.decided[i]; d.lasting && d.repeats == nil {
			perPartition[r.batch.Commands[i].Partition]++
		}
	}
	for partition, o := range r.held {
		byPartition[partition] = &settling{owned: o, changes: Changes{
			Partition: partition, Time: r.batch.Now,
			States: make([]StoredState, 0, len(o.dirty)), Answers: make([]Remembered, 0, perPartition[partition]),
		}}
	}
	for i := range r.decided[:r.next] {
		cmd, d := &r.batch.Commands[i], &r.decided[i]
		if d.outcome == nil {
			continue
		}
		byPartition[cmd.Partition].add(cmd, d, r.decision.Events[d.at:d.at+len(d.events)])
		if cmd.ReplyTo.Topic != "" {
			replies = append(replies, Reply{To: cmd.ReplyTo, CommandID: cmd.ID, Outcome: d.reply(), Meta: &cmd.Meta, Deadline: d.holdsFor(cmd)})
		}
	}
	for partition, s := range byPartition {
		c := s.end()
		if s.strange { // nothing may be stored beyond what has not been read
			gaps = append(gaps, partition)
			continue
		}
		changes = append(changes, c)
	}
	slices.SortFunc(changes, func(a, b Changes) int { return cmp.Compare(a.Partition, b.Partition) })
	slices.Sort(gaps)
	return changes, replies, gaps
}

// settling gathers what a committed round changes in one partition.
type settling struct {
	owned   *owned
	changes Changes
	strange bool // an event lies where this owner's own writes cannot have put it
}

func (s *settling) add(cmd *Command, d *decided, events []Event) {
	offset := int64(-1)
	for k := range events {
		offset = events[k].Offset
		s.strange = !s.owned.appended(offset) && !strangerUnseen || s.strange
		s.changes.LastEvent, s.changes.LastAt = events[k].ID, offset
		d.outcome.Position = events[k].Position()
	}
	if d.r != nil {
		d.r.offset = offset
	}
	if d.lasting && d.repeats == nil {
		s.changes.Answers = append(s.changes.Answers, Remembered{
			CommandID: cmd.ID, Fingerprint: d.fingerprint, Revision: d.outcome.Revision, Offset: offset,
			Time: s.changes.Time, Outcome: d.stored,
		})
	}
}

func (s *settling) end() Changes {
	if s.changes.LastEvent != "" {
		s.owned.committed()
	}
	s.changes.Next = s.owned.next
	for _, r := range s.owned.dirty {
		s.changes.States = append(s.changes.States, r.toStore(r.encoded))
		r.accepted, r.encoded = nil, nil
	}
	s.owned.endRound()
	return s.changes
}

// holdsFor gives the deadline by which a caller knows the sending of its command that the outcome is for, zero where it is for all of them.
func (d *decided) holdsFor(cmd *Command) time.Time {
	if d.lasting || d.repeats != nil || d.outcome.Code == OK || d.outcome.Repeated {
		return time.Time{}
	}
	return cmd.Deadline
}

// reply gives the outcome to send; a repeat's says that it is one.
func (d *decided) reply() *Outcome {
	if d.recalls != nil {
		return d.recalled()
	}
	if d.repeats == nil {
		return d.outcome
	}
	again := *d.repeats.outcome
	again.Repeated = true
	return &again
}

// storedForm encodes an outcome as it is kept on the last event and in the dedup rows: without revision and position, which the record
// itself tells, and without a result that is too large.
func storedForm(o *Outcome) []byte {
	kept := *o
	kept.Revision, kept.Position, kept.Repeated = 0, Position{}, false
	if len(kept.Payload)+len(kept.Message) > MaxStoredAnswer {
		kept.Payload, kept.Omitted = nil, true
	}
	data := kept.Encode(make([]byte, 0, len(kept.Payload)+len(kept.Message)+len(kept.ContentType)+32))
	if len(data) <= MaxStoredAnswer {
		return data
	}
	kept.Payload, kept.Details, kept.Omitted = nil, nil, true
	return kept.Encode(nil)
}

// outcome gives back what was answered, as a repeat.
func (m *Remembered) outcome(p *Processor, partition int32) (*Outcome, error) {
	o, err := DecodeOutcome(m.Outcome)
	if err != nil {
		return nil, fmt.Errorf("%s[%d]: stored answer of command %q: %w", p.behaviour.group.name, partition, m.CommandID, err)
	}
	o.Revision, o.Repeated = m.Revision, true
	if m.Offset >= 0 {
		o.Position = Position{Topic: p.behaviour.group.JournalTopic(p.prefix), Partition: partition, Offset: m.Offset}
	}
	return o, nil
}

func sortProgress(p []Progress) {
	slices.SortFunc(p, func(a, b Progress) int { return cmp.Compare(a.Partition, b.Partition) })
}
