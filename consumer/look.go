package consumer

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Look is what the brokers say of a partition of a journal now.
type Look struct {
	TopicID [16]byte // tells a topic from one that was made again under its name
	Low     int64    // the first offset there is
	High    int64    // the high watermark: one behind the last record
	Stable  int64    // the last stable offset: one behind the last record whose transaction is decided
}

// Look asks the brokers about a source.
func (f *Feeds) Look(ctx context.Context, source Source) (Look, error) {
	var l Look
	topics, err := f.adm.ListTopics(ctx, source.Topic)
	if err == nil {
		l.TopicID, err = topics[source.Topic].ID, topics[source.Topic].Err
	}
	for _, one := range []struct {
		ask  func(context.Context, ...string) (kadm.ListedOffsets, error)
		into *int64
	}{{f.adm.ListStartOffsets, &l.Low}, {f.adm.ListCommittedOffsets, &l.Stable}, {f.adm.ListEndOffsets, &l.High}} {
		if err == nil {
			var offsets kadm.ListedOffsets
			if offsets, err = one.ask(ctx, source.Topic); err == nil {
				*one.into, err = listed(offsets, source.Topic, source.Partition)
			}
		}
	}
	if err != nil {
		return l, f.denied("look at "+source.String(), source.Topic, err)
	}
	return l, nil
}

// Start gives the offset at which a reading begins in a source. A position that is not in the journal is [ErrDataLoss].
func (f *Feeds) Start(ctx context.Context, reading muster.Reading, source Source) (int64, error) {
	reading.Group = f.groups[source.Topic]
	if reading.Group == nil {
		return 0, muster.Errorf(muster.InvalidArgument, "%v is no partition of a journal that is read here", source)
	}
	after := reading.After
	reading.After = nil
	for _, p := range after {
		if p.Topic == source.Topic && p.Partition == source.Partition {
			reading.After = append(reading.After, p)
		}
	}
	s, err := startWith(ctx, f.adm, source.Topic, &reading)
	return s.from[source.Partition], err
}

// Check tells whether the journals are there, with the partitions their groups declare.
func (f *Feeds) Check(ctx context.Context) error {
	return whenSettled(ctx, func() error {
		for topic, g := range f.groups {
			topics, err := f.adm.ListTopics(ctx, topic)
			if err == nil {
				err = topics[topic].Err
			}
			if err != nil {
				return f.denied("look for "+topic, topic, err)
			}
			if n := len(topics[topic].Partitions); n != int(g.Partitions()) {
				return muster.Errorf(muster.FailedPrecondition, "topic %s has %d partitions, the contract of group %q says %d; use the contract of its owner",
					topic, n, g.Name(), g.Partitions())
			}
		}
		return nil
	})
}

// check refuses offsets that are not in the journals, and notes where these end.
func (f *Feeds) check(ctx context.Context, taps []*tap) error {
	lows, ends := map[string]kadm.ListedOffsets{}, map[string]kadm.ListedOffsets{}
	for _, t := range taps {
		topic := t.source.Topic
		if lows[topic] != nil {
			continue
		}
		var err error
		if lows[topic], err = f.adm.ListStartOffsets(ctx, topic); err == nil {
			ends[topic], err = f.adm.ListEndOffsets(ctx, topic)
		}
		if err != nil {
			return f.denied("offsets of "+topic, topic, err)
		}
	}
	for _, t := range taps {
		low, err := listed(lows[t.source.Topic], t.source.Topic, t.source.Partition)
		if err == nil {
			t.high, err = listed(ends[t.source.Topic], t.source.Topic, t.source.Partition)
		}
		if err != nil {
			return f.denied("offsets of "+t.source.String(), t.source.Topic, err)
		}
		if t.next < low || t.next > t.high {
			return fmt.Errorf("%v@%d: the log holds offsets %d to %d: %w", t.source, t.next, low, t.high, ErrDataLoss)
		}
	}
	return nil
}

// denied makes a toolkit error of one of the brokers'.
func (f *Feeds) denied(what, topic string, err error) error {
	return f.config.Kafka.Map(what, err, kafka.On(kafka.TopicResource, topic, "Read")...)
}
