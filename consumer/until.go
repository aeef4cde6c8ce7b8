package consumer

import (
	"context"
	"errors"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// untilReaders is how many partitions are read side by side up to the end; each has a connection of its own.
const untilReaders = 4

// readUntil reads every partition up to where it ended when the subscriber was opened.
func (s *Subscriber) readUntil() error {
	room := make(chan struct{}, untilReaders)
	var readers sync.WaitGroup
	for _, p := range s.wanted() {
		readers.Go(func() {
			select {
			case room <- struct{}{}:
			case <-s.soft.Done():
				return
			}
			defer func() { <-room }()
			if err := s.readPartition(p); err != nil {
				s.fail(err)
			}
		})
	}
	readers.Wait()
	if err := context.Cause(s.soft); err != nil {
		return err
	}
	return errUntil
}

// readPartition delivers what lies between the start and the end of one partition. The reader waits while Deliver works.
func (s *Subscriber) readPartition(p int32) error {
	config := JournalConfig{Kafka: s.config.Kafka, Group: s.config.Reading.Group, Foreign: s.config.Foreign, Logger: s.config.Logger}
	for from, end := s.start.from[p], s.start.end[p]; from < end; {
		next, err := ReadJournal(s.soft, config, p, from, end, func(events []muster.Event) error {
			for i := range events {
				if err := s.soft.Err(); err != nil {
					return context.Cause(s.soft)
				}
				if err := s.settle(s.soft, s.hard, &events[i], nil); err != nil {
					return err
				}
			}
			return nil
		}, nil)
		if err != nil && !errors.Is(err, ErrMalformed) {
			return err
		}
		from = next
		if err != nil {
			bad := &muster.Event{Meta: muster.Meta{Topic: s.topic, Partition: p, Offset: next}}
			if err := s.settle(s.soft, s.hard, bad, err); err != nil {
				return err
			}
			from = next + 1
		}
	}
	return nil
}
