package service

import (
	"bytes"
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/journal"
)

// The stages of a recovery, as [RecoveryProgress] names them.
const (
	stageSnapshots = "snapshots"
	stageJournal   = "journal"
)

// Why snapshots cannot be used as they are. The words are stable: metrics and logs carry them.
const (
	snapshotsAhead      = "ahead"    // they speak of journal offsets that the journal does not have
	snapshotsDiverged   = "diverged" // the journal has another event where the pass says its last one is
	snapshotsForeign    = "foreign"  // they were made of a journal topic that was deleted since
	snapshotsUnreadable = consumer.SnapshotUnreadable
	snapshotsNewerState = "undecodable" // a state that this build cannot decode
	snapshotsIncomplete = "incomplete"  // there are fewer states than the pass says
	snapshotsUnfinished = "unfinished"  // there are states, and no pass yet
)

// fromSnapshots fills an empty partition with the states in the snapshots topic and gives the checkpoint to read the journal from.
//
// Snapshots hold committed states only, so each one that can be read helps: events it covers are passed over. Only where all is well with all
// of them may the journal be begun behind offset 0. Where they contradict the journal none is used.
func (o *owner) fromSnapshots(ctx context.Context, p int32, end int64) (journal.Checkpoint, error) {
	none := journal.Checkpoint{}
	if err := o.states.Clear(p); err != nil {
		return none, err
	}
	if end == 0 {
		return o.states.Open(p)
	}
	records, err := consumer.SnapshotRecords(ctx, o.reader, p)
	if err != nil {
		return none, err
	}
	if records == 0 {
		return o.states.Open(p)
	}
	b := &loading{o: o, ctx: ctx, partition: p, end: end, states: map[string]muster.StoredState{}, progress: o.progress(p, stageSnapshots, records)}
	summary, err := consumer.ReadSnapshots(ctx, o.reader, p, b.add)
	if err == nil {
		err = b.flush()
	}
	if err != nil {
		return none, err
	}
	verdict, usable, cause, err := o.judge(ctx, b, &summary)
	if err != nil {
		return none, err
	}
	next, covered := int64(0), int64(0)
	switch {
	case verdict == "":
		next, covered = summary.Pass.Answers, summary.Pass.Journal
	case verdict == snapshotsUnfinished:
		o.log.Info("snapshots are not complete yet; the journal is read from its beginning", "group", o.group.Name(), "partition", p)
	default:
		o.metrics.ignored.WithLabelValues(o.group.Name(), verdict).Inc()
		o.log.Error("snapshots are ignored; the journal is read from its beginning",
			"group", o.group.Name(), "partition", p, "reason", verdict, "error", cause)
	}
	if !usable {
		if err := o.states.Clear(p); err != nil {
			return none, err
		}
	}
	if err := o.states.EndSnapshots(p, next, covered); err != nil {
		return none, err
	}
	o.log.Info("snapshots loaded", "group", o.group.Name(), "partition", p, "states", b.loaded, "journal_from", next, "complete_to", covered)
	return o.states.Open(p)
}

// loading takes states as they come and puts them into the store in pieces.
type loading struct {
	o         *owner
	ctx       context.Context //nolint:containedctx // of the one call it lives in
	partition int32
	end       int64 // of the journal
	states    map[string]muster.StoredState
	bytes     int64
	read      int64
	loaded    int // states put into the store; one that comes again counts again
	progress  *progress
}

func (b *loading) add(s muster.StoredState) error {
	b.read++
	if b.read%1000 == 0 {
		b.progress.at(b.read)
	}
	if s.Offset >= b.end {
		return &consumer.SnapshotFault{Reason: snapshotsAhead, Cause: fmt.Errorf(
			"a state at revision %d is of journal offset %d, the journal ends at %d: acknowledged events were lost, or an older topic was restored",
			s.Revision, s.Offset, b.end)}
	}
	if err := b.o.processor.CheckState(b.partition, &s); err != nil {
		if class := muster.PayloadFaultOf(err); class.Passing() || stops(class) {
			return err // nothing is wrong with the snapshots
		}
		return &consumer.SnapshotFault{Reason: snapshotsNewerState, Cause: err}
	}
	s.Data = bytes.Clone(s.Data)
	b.bytes += int64(len(s.AggregateID)+len(s.Data)) + 200
	b.states[s.AggregateID] = s
	if b.bytes < b.o.cfg.Recovery.memory() {
		return nil
	}
	return b.flush()
}

func (b *loading) flush() error {
	if len(b.states) == 0 {
		return nil
	}
	all := make([]muster.StoredState, 0, len(b.states))
	for _, s := range b.states {
		all = append(all, s)
	}
	clear(b.states)
	b.bytes = 0
	b.loaded += len(all)
	return b.o.states.LoadSnapshots(b.ctx, b.partition, all)
}

// judge says what is wrong with snapshots, "" when nothing is, and whether their states can be used all the same.
func (o *owner) judge(ctx context.Context, b *loading, found *consumer.SnapshotSummary) (verdict string, usable bool, cause, err error) {
	pass := found.Pass
	for _, fault := range found.Faults {
		if fault.Reason == snapshotsAhead {
			return snapshotsAhead, false, fault.Cause, nil
		}
	}
	switch {
	case pass != nil && pass.Journal > b.end:
		return snapshotsAhead, false, fmt.Errorf("they are complete up to offset %d of the journal, which ends at %d", pass.Journal, b.end), nil
	case pass != nil && pass.TopicID != o.topicID && pass.TopicID != [16]byte{} && o.topicID != [16]byte{}:
		return snapshotsForeign, false, fmt.Errorf("they were made of journal topic %x, which is %x now", pass.TopicID, o.topicID), nil
	}
	if pass != nil && pass.LastEvent != "" {
		same, err := o.holds(ctx, b.partition, pass.LastAt, pass.LastEvent)
		if err != nil {
			return "", false, nil, err
		}
		if !same {
			return snapshotsDiverged, false, fmt.Errorf("offset %d of the journal holds another event than the one they were made of", pass.LastAt), nil
		}
	}
	switch {
	case len(found.Faults) > 0:
		return found.Faults[0].Reason, true, found.Faults[0].Cause, nil
	case pass == nil:
		return snapshotsUnfinished, true, nil, nil
	}
	view, err := o.states.Changed(b.partition, b.end, func(muster.StoredState) error { return nil })
	if err == nil && view.States < pass.States {
		return snapshotsIncomplete, true, fmt.Errorf("there are %d states, the pass has seen %d", view.States, pass.States), nil
	}
	return "", true, nil, err
}

// holds tells whether the journal has an event at its offset, or nothing that says otherwise.
func (o *owner) holds(ctx context.Context, p int32, at int64, id string) (bool, error) {
	same := true
	_, err := consumer.ReadJournal(ctx, o.reader, p, at, at+1, func(events []muster.Event) error {
		same = events[0].ID == id
		return nil
	}, func(stuckAt int64) { o.unblock(ctx, p, stuckAt) })
	return same, err
}
