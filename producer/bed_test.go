package producer_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const consumerGroup = "accounts-owners"

// bed is a cluster with the topics of one group on it.
type bed struct {
	t         testing.TB
	addresses []string
	group     *muster.Group
	cluster   *kfake.Cluster // nil on Apache Kafka
	tap       *kafkatest.Tap // between the producer under test and the cluster
	claims    *claims
	client    *kgo.Client // the test's own
}

func newBed(t *testing.T, brokers int) *bed {
	t.Helper()
	broker := kafkatest.Embedded(t, embedded.Config{Brokers: brokers})
	b := &bed{
		t: t, addresses: broker.Brokers(), group: muster.NewGroup("accounts", muster.Partitions(6)), cluster: broker.Cluster(), tap: &kafkatest.Tap{},
		claims: &claims{claim: kafka.Claim{Group: consumerGroup, Generation: -1}},
	}
	for _, topic := range []string{b.group.CommandTopic(""), b.group.JournalTopic(""), b.group.DeadLetterTopic(""), b.group.SnapshotTopic("")} {
		if err := b.cluster.CreateTopic(topic, b.group.Partitions(), nil); err != nil {
			t.Fatal(err)
		}
	}
	b.connect()
	return b
}

func (b *bed) connect() {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	b.client = client
}

func (b *bed) connection() kafka.Config {
	return kafka.Config{Brokers: b.addresses, Options: b.tap.Option()}
}

func (b *bed) config() producer.Config {
	return producer.Config{Kafka: b.connection(), Group: b.group, Instance: "one", Claims: b.claims, Lanes: 1, Slots: 2}
}

// open opens a producer that is closed with the test.
func (b *bed) open(change ...func(*producer.Config)) *producer.Producer {
	b.t.Helper()
	cfg := b.config()
	for _, c := range change {
		c(&cfg)
	}
	p, err := producer.Open(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(p.Close)
	return p
}

// warm commits once on every slot, so that later times do not contain the making of connections.
func (b *bed) warm(lane *producer.Lane, slots int) {
	b.t.Helper()
	for i := range slots {
		if err := lane.Commit(b.t.Context(), b.decide("warm-"+strconv.Itoa(i), 0)); err != nil {
			b.t.Fatal(err)
		}
	}
}

// decide makes a decision with one event per partition given, all caused by one command.
func (b *bed) decide(command string, partitions ...int32) *muster.Decision {
	d := &muster.Decision{Group: b.group}
	for i, p := range partitions {
		d.Events = append(d.Events, b.event(command, i, len(partitions), p))
		if !slices.ContainsFunc(d.Offsets, func(o muster.Progress) bool { return o.Partition == p }) {
			d.Offsets = append(d.Offsets, muster.Progress{Partition: p, Next: 1})
		}
	}
	slices.SortFunc(d.Offsets, func(a, b muster.Progress) int { return int(a.Partition - b.Partition) })
	return d
}

func (b *bed) event(command string, index, count int, partition int32) muster.Event {
	return muster.Event{
		Meta: muster.Meta{
			ID: command + "/" + strconv.Itoa(index), Type: "bank.Credited", Group: b.group.Name(), AggregateID: "acc-" + command,
			Revision: uint64(index + 1), Time: time.Unix(1_800_000_000, 0).UTC(), CorrelationID: command, CausationID: command,
			ContentType: "application/json", Partition: partition,
		},
		Payload: []byte(`{"amount":1}`), Index: index, Count: count,
	}
}

func (b *bed) dead(command string, partition int32) muster.DeadLetter {
	return muster.DeadLetter{
		Command: muster.Command{
			Meta: muster.Meta{
				ID: command, Type: "bank.Deposit", Group: b.group.Name(), AggregateID: "acc-" + command, Time: time.Unix(1_800_000_000, 0).UTC(),
				CorrelationID: command, Topic: b.group.CommandTopic(""), Partition: partition,
			},
			Payload: []byte(`{"amount":1}`),
		},
		Cause: muster.Error{Code: muster.Internal, Message: "handler failed", Reason: muster.ReasonPanic},
		Time:  time.Unix(1_800_000_000, 0).UTC(),
	}
}

// decided waits until no transaction holds anything back in a topic, and gives the ends of its partitions. A broker answers EndTxn when the
// outcome is decided; the markers that show it to readers follow.
func (b *bed) decided(topic string) kadm.ListedOffsets {
	b.t.Helper()
	adm := kadm.NewClient(b.client)
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	for {
		stable, err := adm.ListCommittedOffsets(ctx, topic)
		if err != nil {
			b.t.Fatalf("%s: still undecided: %v", topic, err)
		}
		ends, err := adm.ListEndOffsets(ctx, topic)
		if err != nil {
			b.t.Fatal(err)
		}
		same := true
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, end.Partition)
			same = same && at.Offset == end.Offset && end.Err == nil && at.Err == nil
		})
		if same {
			return ends
		}
	}
}

// committed reads all that a read_committed reader sees of a topic, without markers.
func (b *bed) committed(topic string) []*kgo.Record {
	b.t.Helper()
	left := map[int32]int64{}
	b.decided(topic).Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	return b.readTo(topic, left)
}

// readTo reads partitions of a topic up to the offsets given.
func (b *bed) readTo(topic string, left map[int32]int64) []*kgo.Record {
	b.t.Helper()
	if len(left) == 0 {
		return nil
	}
	from := map[string]map[int32]kgo.Offset{topic: {}}
	for partition := range left {
		from[topic][partition] = kgo.NewOffset().AtStart()
	}
	reader, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		b.t.Fatal(err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	var out []*kgo.Record
	for len(left) > 0 {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			b.t.Fatalf("%s: still unread: %v", topic, left)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				out = append(out, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	slices.SortFunc(out, func(x, y *kgo.Record) int {
		if x.Partition != y.Partition {
			return int(x.Partition - y.Partition)
		}
		return int(x.Offset - y.Offset)
	})
	return out
}

// keys gives the keys of the committed events of one command.
func (b *bed) keys(command string) []string {
	b.t.Helper()
	var keys []string
	for _, r := range b.committed(b.group.JournalTopic("")) {
		if strings.HasPrefix(string(r.Key), "acc-"+command+"/") {
			keys = append(keys, string(r.Key))
		}
	}
	return keys
}

// consumed gives the committed offset of a command partition, -1 where there is none.
func (b *bed) consumed(partition int32) int64 {
	b.t.Helper()
	offsets, err := kadm.NewClient(b.client).FetchOffsets(b.t.Context(), b.claims.claim.Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return -1
	}
	if err != nil {
		b.t.Fatal(err)
	}
	if o, ok := offsets.Lookup(b.group.CommandTopic(""), partition); ok {
		return o.At
	}
	return -1
}

// hidden tells whether an open transaction holds back records of a journal partition.
func (b *bed) hidden(partition int32) bool {
	b.t.Helper()
	info := b.cluster.PartitionInfo(b.group.JournalTopic(""), partition)
	return info.LastStableOffset < info.HighWatermark
}

// join makes an instance the only member of the consumer group, for as long as the test runs; the claims are its own from then on.
func (b *bed) join(instance string) {
	b.t.Helper()
	member, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.ConsumerGroup(consumerGroup),
		kgo.ConsumeTopics(b.group.CommandTopic("")), kgo.DisableAutoCommit(), kgo.InstanceID(instance))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(member.Close)
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	if _, err := b.cluster.WaitGroupStable(ctx, consumerGroup, 1); err != nil {
		b.t.Fatal(err)
	}
	id, generation := member.GroupMetadata()
	b.claims.claim = kafka.Claim{Group: consumerGroup, Member: id, Instance: instance, Generation: generation}
}

// leave opens a transaction under an id, writes one record to a journal partition and leaves it open.
func (b *bed) leave(id string, partition int32) {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	kafkatest.Begin(b.t, client, &kgo.Record{Topic: b.group.JournalTopic(""), Partition: partition, Key: []byte("left/1"), Value: []byte("left")})
}

// claims is a Claimer that answers what the test says.
type claims struct {
	mu    sync.Mutex // guards what follows; the test writes, the lane reads
	claim kafka.Claim
	next  []kafka.Claim // later answers; the last one stays
	err   error
	asked [][]int32
}

func (c *claims) Claim(partitions []int32) (kafka.Claim, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, slices.Clone(partitions))
	if c.err != nil {
		return kafka.Claim{}, c.err
	}
	now := c.claim
	if len(c.next) > 0 {
		c.claim, c.next = c.next[0], c.next[1:]
	}
	return now, nil
}

func (c *claims) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

// want fails unless err is (or, for nil, is not) the outcome.
func want(t testing.TB, err, outcome error) {
	t.Helper()
	if !errors.Is(err, outcome) || outcome == nil && err != nil {
		t.Fatalf("commit: %v; want %v", err, outcome)
	}
	for _, other := range []error{muster.ErrAborted, muster.ErrFenced, muster.ErrUnknown} {
		if !errors.Is(outcome, other) && errors.Is(err, other) {
			t.Fatalf("commit: %v is %v as well", err, other)
		}
	}
}
