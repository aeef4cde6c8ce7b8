package producer_test

import (
	"slices"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/producer"
)

func TestLaneIsASink(t *testing.T) {
	mustertest.Sink(t, func(t *testing.T) mustertest.SinkFixture {
		b := newBed(t, 3)
		owned := &ownership{claims: b.claims}
		lane := b.open(func(c *producer.Config) { c.Claims = owned }).Lane(0)
		target := muster.NewGroup("till", muster.Partitions(5))
		if err := b.cluster.CreateTopic(target.CommandTopic(""), target.Partitions(), nil); err != nil {
			t.Fatal(err)
		}
		return mustertest.SinkFixture{
			Target: target,
			Written: func() (all []muster.Command) {
				for _, r := range b.committed(target.CommandTopic("")) {
					all = append(all, kafka.DecodeCommand(r, target))
				}
				return all
			},
			Sink: lane, Group: b.group,
			Partition: func(id string) int32 { return kafka.Partition(id, b.group.Partitions()) },
			Events: func(partition int32) (events []muster.Event) {
				for _, r := range b.committed(b.group.JournalTopic("")) {
					if r.Partition != partition {
						continue
					}
					e, err := kafka.DecodeEvent(r, b.group)
					if err != nil {
						t.Fatal(err)
					}
					events = append(events, e)
				}
				return events
			},
			Dead: func(partition int32) (ids []string) {
				for _, r := range b.committed(b.group.DeadLetterTopic("")) {
					if r.Partition != partition {
						continue
					}
					d, err := kafka.DecodeDeadLetter(r, b.group)
					if err != nil {
						t.Fatal(err)
					}
					ids = append(ids, d.Command.ID)
				}
				return ids
			},
			Consumed: b.consumed,
			Progress: b.progress,
			Take:     func(partition int32) { owned.lost = append(owned.lost, partition) },
			Break: func() {
				b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.UnknownServerError})
			},
		}
	})
}

// ownership is a Claimer that refuses what was taken away.
type ownership struct {
	*claims
	lost []int32 // written before the commit that is refused, by the same goroutine
}

func (o *ownership) Claim(partitions []int32) (kafka.Claim, error) {
	for _, p := range partitions {
		if slices.Contains(o.lost, p) {
			return kafka.Claim{}, muster.ErrFenced
		}
	}
	return o.claims.Claim(partitions)
}

// progress gives what the next owner of a command partition finds.
func (b *bed) progress(partition int32) muster.Progress {
	b.t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), b.claims.claim.Group)
	if err != nil {
		b.t.Fatal(err)
	}
	o, ok := offsets.Lookup(b.group.CommandTopic(""), partition)
	if !ok {
		b.t.Fatalf("nothing is committed of partition %d", partition)
	}
	p, err := kafka.DecodeProgress(partition, o.At, o.Metadata)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}
