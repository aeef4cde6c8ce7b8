package producer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// targetAbsent is how long a topic that was not found is not asked for again.
const targetAbsent = 500 * time.Millisecond

// targets remembers the command topics of other groups that handlers have written to: each is looked up before the first transaction with a
// command to it, so that a missing one is the fault of that command and not of the transaction.
type targets struct {
	mu     sync.Mutex // guards what follows; the lanes share it
	known  map[string][]int32
	absent map[string]absence
}

// absence is why a topic cannot be written to, and until when that is believed.
type absence struct {
	until time.Time
	cause error
}

// find gives the leaders of a group's command topic, by partition. unfit is why no command can be written to it: it is missing, forbidden, or
// of another partition count. err says that this could not be learnt.
func (t *targets) find(ctx context.Context, client *kgo.Client, g *muster.Group, topic string) (leaders []int32, unfit, err error) {
	t.mu.Lock()
	leaders, known := t.known[topic]
	gone, absent := t.absent[topic]
	t.mu.Unlock()
	switch {
	case absent && time.Now().Before(gone.until):
		return nil, gone.cause, nil
	case !known:
		if leaders, err = t.ask(ctx, client, topic); err != nil {
			if !unwritable(err) {
				return nil, nil, err
			}
			t.forget(topic, err)
			return nil, err, nil
		}
		t.mu.Lock()
		if t.known == nil {
			t.known = map[string][]int32{}
		}
		t.known[topic] = leaders
		delete(t.absent, topic)
		t.mu.Unlock()
	}
	if len(leaders) != int(g.Partitions()) {
		return nil, fmt.Errorf("topic %s has %d partitions, but the contract of group %s says %d; set muster.Partitions(%d) in the contract",
			topic, len(leaders), g.Name(), g.Partitions(), len(leaders)), nil
	}
	return leaders, nil, nil
}

func (t *targets) ask(ctx context.Context, client *kgo.Client, topic string) ([]int32, error) {
	described, err := describeKnown(ctx, client, foundWithin, topic)
	if err != nil {
		return nil, err
	}
	return leadersOf(described)[topic], nil
}

// forget notes that a topic cannot be written to, for a moment.
func (t *targets) forget(topic string, cause error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.absent == nil {
		t.absent = map[string]absence{}
	}
	delete(t.known, topic)
	t.absent[topic] = absence{until: time.Now().Add(targetAbsent), cause: cause}
}

// unwritable tells whether a topic is missing or forbidden. For the topics of its own group that is the owner's trouble; a command topic of
// another group is what a handler asked for.
func unwritable(err error) bool {
	return errors.Is(err, kerr.UnknownTopicOrPartition) || errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.InvalidTopicException)
}

// aim finds where the commands of a decision go. The faults are of those that go nowhere.
func (l *Lane) aim(ctx context.Context, t *transaction) (faults []error, err error) {
	unfit := map[*muster.Group]error{} // two contracts may disagree on one topic
	for i := range t.decision.Commands {
		w := &t.decision.Commands[i]
		topic := w.Group.CommandTopic(l.p.cfg.Kafka.Prefix)
		cause, asked := unfit[w.Group]
		if !asked {
			leaders, wrong, err := l.p.targets.find(ctx, l.p.admin, w.Group, topic)
			if err != nil {
				return nil, err
			}
			if cause = wrong; wrong == nil {
				if t.leaders == nil {
					t.leaders = map[string][]int32{}
				}
				t.leaders[topic] = leaders
			}
			unfit[w.Group] = cause
		}
		if cause != nil {
			faults = append(faults, astray(w, cause))
		}
	}
	return faults, nil
}

func astray(w *muster.Written, cause error) *muster.RecordFault {
	return &muster.RecordFault{CommandID: w.Command.CausationID, Partition: w.Origin, Target: w.Group.Name(), Cause: cause}
}

// strayed finds the commands that a broker refused because of their topic, which was there when it was looked up.
func (l *Lane) strayed(all []refused, t *transaction) (faults []error) {
	first := len(t.decision.Events) + len(t.decision.Dead)
	for _, r := range all {
		if !unwritable(r.cause) {
			continue
		}
		if at := t.index(r.record); at >= first {
			l.p.targets.forget(r.record.Topic, l.p.cfg.Kafka.Map("write to "+r.record.Topic, r.cause, kafka.On(kafka.TopicResource, r.record.Topic, "Write")...))
			faults = append(faults, astray(&t.decision.Commands[at-first], l.p.cfg.Kafka.Map("write to "+r.record.Topic, r.cause, kafka.On(kafka.TopicResource, r.record.Topic, "Write")...)))
		}
	}
	return faults
}
