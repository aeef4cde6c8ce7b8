package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

const (
	retryInterval = 100 * time.Millisecond // between tries to list offsets
	haltInterval  = time.Second            // between tries to read a partition that cannot be read
	listTimeout   = 5 * time.Second        // of one such try
)

// fault decides what an error of a fetch means. It runs on the goroutine that polls, while rebalances wait.
func (s *session) fault(client *kgo.Client, topic string, partition int32, err error) {
	if group, ok := errors.AsType[*kgo.ErrGroupSession](err); ok {
		s.groupFault(group.Err)
		return
	}
	if topic != s.topic {
		s.log.WarnContext(s.run, "error while fetching", "group", s.members, "error", err)
		return
	}
	if errors.Is(err, kerr.UnknownTopicID) {
		s.fail(fmt.Errorf("%s was deleted and made again (%w); stop all replicas, delete the consumer group %q and the local state, "+
			"then start again", topic, err, s.members))
		return
	}
	if tooLarge, ok := errors.AsType[*kgo.ErrDecompressTooLarge](err); ok {
		s.passBatch(client, tooLarge)
		return
	}
	if loss, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
		s.rewind(partition, loss.ResetTo)
		s.tell(partition, loss.ConsumedTo, fmt.Errorf("the log was cut off at offset %d (%w); commands written after that are handled next; "+
			"check the brokers for an unclean leader election", loss.ResetTo, err))
		return
	}
	if errors.Is(err, kerr.OffsetOutOfRange) {
		s.outOfRange(client, partition, err)
		return
	}
	s.halt(partition)
	s.tell(partition, s.expected(partition), fmt.Errorf("cannot be read, tried again every %v: %w", haltInterval,
		s.config.Kafka.Map("fetch", err, kafka.On(kafka.TopicResource, s.topic, "Read")...)))
}

// groupFault tells an error of the membership as a whole. Those that waiting does not mend end Run, but for one that Run looks into, see [namesakes].
func (s *session) groupFault(err error) {
	switch {
	case errors.Is(err, kerr.FencedInstanceID):
		s.fail(fmt.Errorf("%w: %w", errMembershipBroken, err))
	case errors.Is(err, kerr.InconsistentGroupProtocol):
		s.fail(fmt.Errorf("consumer group %q is consumed with another protocol (%w); stop its other members, or choose another ConsumerGroup",
			s.members, err))
	case errors.Is(err, kerr.InvalidSessionTimeout):
		s.fail(fmt.Errorf("the brokers do not allow a session timeout of %v (%w); choose one between their group.min.session.timeout.ms and "+
			"group.max.session.timeout.ms", s.config.session(), err))
	default:
		s.tell(-1, -1, fmt.Errorf("membership of consumer group %q ended, joining again: %w", s.members,
			s.config.Kafka.Map("join", err, s.groupRight()...)))
	}
}

// passBatch puts one command in place of a batch that decompresses to more than the client's limit. kgo reads no further on its own. The
// stand-in has no content and says why in its Fault; its offset is the last one of the batch. So the owner decides: it refuses that command
// as it does any faulty one, and with its offset committed the batch is past; until then a restart finds it again.
func (s *session) passBatch(client *kgo.Client, e *kgo.ErrDecompressTooLarge) {
	fault := muster.Errorf(muster.InvalidArgument, "the batch at offsets %d to %d decompresses to more than this client allows; none of its commands was read",
		e.Offset, e.NextOffset-1)
	fault.Reason = muster.ReasonTooLarge

	s.mu.Lock()
	p := s.parts[e.Partition]
	if p != nil {
		record := &kgo.Record{Topic: s.topic, Partition: e.Partition, Offset: e.NextOffset - 1, LeaderEpoch: e.Epoch}
		if p.unreadable == nil {
			p.unreadable = map[*kgo.Record]*muster.Error{}
		}
		p.unreadable[record] = fault
		p.receive([]*kgo.Record{record}, p.high)
		s.rouse(p.lane)
	}
	s.mu.Unlock()
	if p == nil {
		return
	}
	client.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.topic: {e.Partition: {Epoch: e.Epoch, Offset: e.NextOffset}}})
	s.tell(e.Partition, e.Offset, fmt.Errorf("%w; its commands are refused as one", error(fault)))
}

// outOfRange moves a partition whose next offset is not in the log to the start of the log: deleted commands cannot be handled, and of a
// log that has shrunk nothing is skipped.
func (s *session) outOfRange(client *kgo.Client, partition int32, cause error) {
	at := s.expected(partition)
	if at < 0 {
		return
	}
	found, err := s.listRanges(s.ctx, map[int32]kgo.Offset{partition: {}})
	if err != nil {
		s.halt(partition)
		s.tell(partition, at, fmt.Errorf("offset %d is out of range and the log's cannot be listed, tried again every %v: %w", at, haltInterval, err))
		return
	}
	bounds := found[partition]
	s.rewind(partition, bounds.start)
	client.SetOffsets(map[string]map[int32]kgo.EpochOffset{s.topic: {partition: {Epoch: -1, Offset: bounds.start}}})
	s.tell(partition, at, fmt.Errorf("offset %d is not in the log, which holds %d up to %d (%w); serving goes on at %d; "+
		"lengthen the retention of %s, or check the brokers for lost data", at, bounds.start, bounds.end, cause, bounds.start, s.topic))
}

// rewind lets a partition receive from an offset on, be it lower than what was received.
func (s *session) rewind(partition int32, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[partition]; p != nil {
		p.next = next
		p.cutLocked(next)
	}
}

func (s *session) expected(partition int32) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[partition]; p != nil {
		return p.next
	}
	return -1
}

// halt stops fetching a partition until upkeep tries again.
func (s *session) halt(partition int32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.parts[partition]; p != nil {
		p.halted = true
		s.fetchLocked(p)
	}
}

// retryHalted lets all halted partitions be fetched again.
func (c *Consumer) retryHalted() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.parts {
		if p.halted {
			p.halted = false
			c.fetchLocked(p)
		}
	}
}

// tell logs a fault and passes it on, unless it was the last one told of that partition.
func (c *Consumer) tell(partition int32, offset int64, err error) {
	text := err.Error()
	c.mu.Lock()
	if p := c.parts[partition]; p != nil {
		if p.told == text {
			c.mu.Unlock()
			return
		}
		p.told = text
	}
	c.mu.Unlock()
	c.log.Error("commands are held up or lost", "group", c.members, "topic", c.topic, "partition", partition, "offset", offset, "error", err)
	if c.config.OnFault != nil {
		c.telling.Lock()
		defer c.telling.Unlock()
		c.config.OnFault(c.topic, partition, offset, fmt.Errorf("%s[%d]: %w", c.topic, partition, err))
	}
}

// pause waits, or gives the reason why ctx has ended.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
