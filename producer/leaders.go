package producer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// noLeader stands for a leader that is not known; its records go together.
const noLeader = -1

// stretch is what one leader gets in one go.
type stretch struct {
	leader  int32
	records []*kgo.Record
}

// stretches groups records by the leader of their partition, in the order in which the leaders first appear. The order within a partition
// stays. A table that is out of date costs time, not correctness: the client sends each record to the leader it knows.
func (s *slot) stretches(records []*kgo.Record) []stretch {
	var out []stretch
	at := -1 // index in out of the record before
	for i, r := range records {
		if i > 0 && r.Partition == records[i-1].Partition && r.Topic == records[i-1].Topic {
			out[at].records = append(out[at].records, r)
			continue
		}
		leader := s.leader(r.Topic, r.Partition)
		at = slices.IndexFunc(out, func(st stretch) bool { return st.leader == leader })
		if at < 0 {
			at = len(out)
			out = append(out, stretch{leader: leader, records: make([]*kgo.Record, 0, len(records)-i)})
		}
		out[at].records = append(out[at].records, r)
	}
	return out
}

// leader asks the client, which follows every move once it has written to a topic, and before that the metadata of its start.
func (s *slot) leader(topic string, partition int32) int32 {
	if leader, _, err := s.client.PartitionLeader(topic, partition); err == nil && leader >= 0 {
		return leader
	}
	if all := s.leaders[topic]; partition >= 0 && int(partition) < len(all) {
		return all[partition]
	}
	return noLeader
}

func leadersOf(described []kmsg.MetadataResponseTopic) map[string][]int32 {
	leaders := make(map[string][]int32, len(described))
	for _, topic := range described {
		if topic.Topic == nil {
			continue
		}
		all := slices.Repeat([]int32{noLeader}, len(topic.Partitions))
		for _, p := range topic.Partitions {
			if int(p.Partition) < len(all) {
				all[p.Partition] = p.Leader
			}
		}
		leaders[*topic.Topic] = all
	}
	return leaders
}

// refused is a record that was not acknowledged as part of the transaction.
type refused struct {
	record *kgo.Record
	cause  error
}

// errOtherEpoch is found when the client took a new epoch in the middle of a transaction: what it wrote before is then aborted.
var errOtherEpoch = errors.New("acknowledged under another producer epoch than the transaction began with")

// write writes the records of one stretch and waits for all acknowledgements. It returns those refused. The error says that ctx ended
// first; the client is then retired, and nothing of it is running any more.
//
// The records themselves have no context or timeout: the client may fail a record that was sent only when it knows what became of it.
func (s *slot) write(ctx context.Context, records []*kgo.Record) ([]refused, error) {
	var (
		open  sync.WaitGroup
		wrong []refused // appended to by the client's goroutine, one promise at a time; read after open.Wait
	)
	promise := func(r *kgo.Record, err error) {
		if err == nil && (r.ProducerID != s.producer || r.ProducerEpoch != s.epoch || r.Offset < 0) {
			err = errOtherEpoch
		}
		if err != nil {
			wrong = append(wrong, refused{r, err})
		}
		open.Done()
	}
	for some := range slices.Chunk(records, maxUnflushed) {
		topic, partition := some[0].Topic, some[0].Partition // the records are the client's until all promises are called
		open.Add(len(some))
		for _, r := range some {
			s.client.Produce(context.WithoutCancel(ctx), r, promise)
		}
		if err := s.client.Flush(ctx); err != nil {
			leader := s.leader(topic, partition)
			s.retire() // fails what is left, so that every promise is called
			open.Wait()
			return nil, fmt.Errorf("%d records for broker %d: %w", len(some), leader, err)
		}
		open.Wait()
		if len(wrong) > 0 {
			if slices.ContainsFunc(some, func(r *kgo.Record) bool { return !s.learnt[r.Topic] }) {
				s.retire() // it may not know what it has written to, nor that sequences begin again; see learn
			}
			return wrong, nil
		}
		if err := s.learn(ctx, some); err != nil {
			s.retire()
			return nil, err
		}
	}
	return nil, nil
}
