package history

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/kafka"
)

// Journal is a dump: the committed events of a group, by partition, in log order.
type Journal struct {
	Events [][]muster.Event
}

// Read dumps the journal of a group up to its end at the time of the call, as a read_committed reader sees it. An open transaction that
// hides a part of it is waited for until ctx ends.
func Read(ctx context.Context, connection kafka.Config, group *muster.Group) (*Journal, error) {
	config := consumer.JournalConfig{Kafka: connection, Group: group}
	all := make([]int32, group.Partitions())
	for p := range all {
		all[p] = int32(p)
	}
	ends, err := consumer.EndOffsets(ctx, config, all)
	if err != nil {
		return nil, err
	}
	j := &Journal{Events: make([][]muster.Event, len(all))}
	for _, p := range all {
		_, err := consumer.ReadJournal(ctx, config, p, 0, ends[p], func(events []muster.Event) error {
			j.Events[p] = append(j.Events[p], events...)
			return nil
		}, nil)
		if err != nil {
			return nil, fmt.Errorf("dump of the journal: %w", err)
		}
	}
	return j, nil
}

// ByAggregate gives the events of each aggregate, in their order.
func (j *Journal) ByAggregate() map[string][]muster.Event {
	all := map[string][]muster.Event{}
	for _, events := range j.Events {
		for i := range events {
			all[events[i].AggregateID] = append(all[events[i].AggregateID], events[i])
		}
	}
	return all
}

// Len is the number of events.
func (j *Journal) Len() int {
	n := 0
	for _, events := range j.Events {
		n += len(events)
	}
	return n
}
