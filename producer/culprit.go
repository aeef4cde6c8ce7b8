package producer

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// culprit finds the one message that can never be written, or nil when no message is to blame. The client refuses a record that exceeds the
// limit of its topic alone; a broker that refuses does so for a whole batch, and then the suspects are tried one by one, in a transaction
// that is always aborted. The transaction of the decision itself has been undone by now.
func (l *Lane) culprit(ctx context.Context, all []refused, t *transaction) *muster.RecordFault {
	var suspects []refused
	type place struct {
		topic     string
		partition int32
	}
	perPartition := map[place]int{}
	for _, r := range all {
		if recordFault(r.cause) {
			suspects = append(suspects, r)
			perPartition[place{r.record.Topic, r.record.Partition}]++
		}
	}
	for _, r := range suspects {
		if perPartition[place{r.record.Topic, r.record.Partition}] == 1 {
			return l.blame(r, t)
		}
	}
	if len(suspects) == 0 || l.rotation.open != nil {
		return nil
	}
	slices.SortStableFunc(suspects, func(a, b refused) int { return cmp.Compare(size(b.record), size(a.record)) })
	if errors.Is(suspects[0].cause, kerr.MessageTooLarge) || errors.Is(suspects[0].cause, kerr.RecordListTooLarge) {
		suspects = suspects[:1] // if the largest alone is taken, so is every other
	}
	guilty, found := l.try(ctx, suspects)
	if !found {
		return nil
	}
	return l.blame(guilty, t)
}

// try writes suspects one at a time until one is refused.
func (l *Lane) try(ctx context.Context, suspects []refused) (guilty refused, found bool) {
	s, err := l.rotation.take()
	if err != nil {
		return refused{}, false
	}
	if err := s.begin(ctx, l.p.topics.journal, l.p.topics.dead); err == nil {
		for _, suspect := range suspects {
			wrong, err := s.write(ctx, []*kgo.Record{suspect.record})
			if err != nil {
				break
			}
			if len(wrong) > 0 {
				guilty, found = wrong[0], recordFault(wrong[0].cause)
				break
			}
		}
	}
	if s.client != nil && s.abort(ctx) == nil {
		l.rotation.settled()
	} else if err := l.settleLocked(ctx); err != nil {
		l.p.log.Error("transaction not settled; the next commit tries again", "lane", l.number, "id", s.id, "cause", err)
	}
	return guilty, found
}

// blame finds the command behind a record by the record's place.
func (l *Lane) blame(r refused, t *transaction) *muster.RecordFault {
	at := t.index(r.record)
	if at < 0 {
		return nil
	}
	fault := &muster.RecordFault{Partition: r.record.Partition, Cause: kafka.Map("write to "+r.record.Topic, r.cause)}
	events, dead := len(t.decision.Events), len(t.decision.Dead)
	switch {
	case at < events:
		fault.CommandID = t.decision.Events[at].CausationID
	case at < events+dead:
		fault.CommandID = t.decision.Dead[at-events].Command.ID
	default:
		w := &t.decision.Commands[at-events-dead]
		fault.CommandID, fault.Partition = w.Command.CausationID, w.Origin
	}
	return fault
}

func size(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}
