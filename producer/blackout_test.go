package producer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// blackout is three brokers on which a transaction can be made to hang at will: neither the journal nor the group's offsets are replicated,
// so both lose their leader with one broker, while the transaction coordinator lives on another one.
type blackout struct {
	*bed
	cluster    *kafkatest.Cluster
	broker     int32         // the one to go dark: it coordinates the consumer group
	partitions []int32       // of the journal, led by it
	arrived    chan struct{} // receives from each commit that is about to end its transaction
	dead       chan struct{} // closed when these may go on, in the dark
}

func newBlackout(t *testing.T) *blackout {
	t.Helper()
	cluster := kafkatest.RealWith(t, kafkatest.Config{Brokers: 3, Properties: map[string]string{
		"offsets.topic.replication.factor": "1", "min.insync.replicas": "1",
	}})
	name := kafkatest.UniqueName(t, "accounts")
	b := &blackout{cluster: cluster, arrived: make(chan struct{}), dead: make(chan struct{}), bed: &bed{
		t: t, addresses: cluster.Addresses(), group: muster.NewGroup(name, muster.Partitions(24)), tap: &kafkatest.Tap{},
		claims: &claims{claim: kafka.Claim{Group: name, Generation: -1}},
	}}
	b.connect()
	adm := kadm.NewClient(b.client)
	topics := []string{b.group.CommandTopic(""), b.group.JournalTopic(""), b.group.DeadLetterTopic(""), b.group.SnapshotTopic("")}
	byBroker := "LogAppendTime" // the events of these tests come from the future
	if _, err := adm.CreateTopics(t.Context(), 24, 1, map[string]*string{"message.timestamp.type": &byBroker}, topics...); err != nil {
		t.Fatal(err)
	}
	for broker := range cluster.Brokers() {
		b.told(int32(broker), func(t kmsg.MetadataResponseTopic) bool { return t.ErrorCode == 0 })
	}
	b.broker = b.coordinator(adm.FindGroupCoordinators, b.claims.claim.Group)
	described, err := adm.ListTopics(t.Context(), b.group.JournalTopic(""))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range described[b.group.JournalTopic("")].Partitions.Sorted() {
		if p.Leader == b.broker {
			b.partitions = append(b.partitions, p.Partition)
		}
	}
	return b
}

// told waits until a broker's metadata of the group's topics is as expected.
func (b *blackout) told(broker int32, expected func(kmsg.MetadataResponseTopic) bool) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	for {
		req := kmsg.NewPtrMetadataRequest()
		for _, name := range []string{b.group.CommandTopic(""), b.group.JournalTopic(""), b.group.DeadLetterTopic("")} {
			topic := kmsg.NewMetadataRequestTopic()
			topic.Topic = &name
			req.Topics = append(req.Topics, topic)
		}
		resp, err := b.client.Broker(int(broker)).RetriableRequest(ctx, req)
		if err != nil {
			b.t.Fatal(err)
		}
		if !slices.ContainsFunc(resp.(*kmsg.MetadataResponse).Topics, func(t kmsg.MetadataResponseTopic) bool { return !expected(t) }) {
			return
		}
	}
}

// leads tells whether a topic's partitions that belong to the broker have a leader.
func (b *blackout) leads(yes bool) func(kmsg.MetadataResponseTopic) bool {
	return func(topic kmsg.MetadataResponseTopic) bool {
		return topic.ErrorCode == 0 && !slices.ContainsFunc(topic.Partitions, func(p kmsg.MetadataResponseTopicPartition) bool {
			return *topic.Topic == b.group.JournalTopic("") && slices.Contains(b.partitions, p.Partition) && (p.Leader >= 0) != yes
		})
	}
}

// coordinator waits for a coordinator to be known.
func (b *bed) coordinator(find func(context.Context, ...string) kadm.FindCoordinatorResponses, name string) int32 {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	for {
		found := find(ctx, name)[name]
		if found.Err == nil {
			return found.NodeID
		}
		if ctx.Err() != nil {
			b.t.Fatalf("coordinator of %s: %v", name, found.Err)
		}
	}
}

// instance gives an instance name whose slot 0 of lane 0 is coordinated by another broker than the one that goes dark.
func (b *blackout) instance(name string) string { return b.instanceWith(name, b.id) }

// instanceWith is instance for another id of it.
func (b *blackout) instanceWith(name string, id func(instance string) string) string {
	for i := 0; ; i++ {
		name := fmt.Sprint(name, i)
		if b.coordinator(kadm.NewClient(b.client).FindTxnCoordinators, id(name)) != b.broker {
			return name
		}
	}
}

func (b *blackout) id(instance string) string { return b.group.Name() + "/" + instance + "/0/0" }

// commit begins a commit that ends its transaction in the dark, and gives its producer. The answer comes on the channel.
func (b *blackout) commit(name string, partition int32, change ...func(*producer.Config)) (p *producer.Producer, instance string, answer chan error) {
	b.t.Helper()
	instance, answer = b.instance(name), make(chan error, 1)
	first := true
	p = b.open(append(change, func(c *producer.Config) {
		c.Instance, c.Slots, c.TransactionTimeout = instance, 1, time.Minute
		c.Failpoint = func(point string) {
			if point == producer.PointAfterOffsets && first {
				first = false
				b.arrived <- struct{}{}
				<-b.dead
			}
		}
	})...)
	go func() { answer <- p.Lane(0).Commit(b.t.Context(), b.decide(name, partition)) }()
	<-b.arrived
	return p, instance, answer
}

// trim is commit for the removal of one event.
func (b *blackout) trim(partition int32, gone muster.EventKey, change ...func(*producer.Config)) (answer chan error) {
	b.t.Helper()
	answer = make(chan error, 1)
	p := b.open(append(change, func(c *producer.Config) {
		keeper := fmt.Sprintf("/%d/0", c.Lanes)
		c.Instance = b.instanceWith("trimming", func(instance string) string { return b.group.Name() + "/" + instance + keeper })
		c.Slots, c.TransactionTimeout = 1, time.Minute
		c.Failpoint = func(point string) {
			if point == producer.PointKeptOffsets {
				b.arrived <- struct{}{}
				<-b.dead
			}
		}
	})...)
	go func() {
		answer <- p.WriteTrim(b.t.Context(), &muster.TrimMark{Partition: partition}, []muster.EventKey{gone})
	}()
	<-b.arrived
	return answer
}

// begin opens a transaction under an id and writes one record to a journal partition.
func (b *blackout) begin(id string, partition int32) *kgo.Client {
	b.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.TransactionalID(id), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(client.Close)
	kafkatest.Begin(b.t, client, &kgo.Record{Topic: b.group.JournalTopic(""), Partition: partition, Key: []byte("acc-left/1"), Value: []byte("left")})
	return client
}

// initialise takes an id as any Kafka client does.
func (b *blackout) initialise(id string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.addresses...), kgo.TransactionalID(id))
	if err != nil {
		b.t.Fatal(err)
	}
	defer client.Close()
	if _, _, err := client.ProducerID(ctx); err != nil {
		b.t.Fatal(err)
	}
}

// dark kills the broker, waits until the others know that its partitions have no leader, and lets the commits go on.
func (b *blackout) dark() {
	b.t.Helper()
	if err := b.cluster.Broker(b.broker).Kill(); err != nil {
		b.t.Fatal(err)
	}
	for broker := range int32(b.cluster.Brokers()) {
		if broker != b.broker {
			b.told(broker, b.leads(false))
		}
	}
	close(b.dead)
}

// light brings the broker back and waits until all brokers know that it leads again.
func (b *blackout) light() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 90*time.Second)
	defer cancel()
	if err := b.cluster.Broker(b.broker).Restart(ctx); err != nil {
		b.t.Fatal(err)
	}
	for broker := range int32(b.cluster.Brokers()) {
		b.told(broker, b.leads(true))
	}
}

// none says that nothing is to be visible.
const none = 0

// visible waits until the partition is read to its end and nothing of its offset is pending, and fails unless it then shows the one event of a
// command, or as many as said.
func (b *blackout) visible(t *testing.T, command string, partition int32, count ...int) {
	t.Helper()
	for deadline := time.Now().Add(90 * time.Second); b.stuck(partition) || b.pending(partition); {
		if time.Now().After(deadline) {
			t.Fatalf("partition %d is not read to its end, or its offset is pending", partition)
		}
	}
	expected := 1
	if len(count) > 0 {
		expected = count[0]
	}
	seen := 0
	for _, r := range b.readTo(b.group.JournalTopic(""), map[int32]int64{partition: b.end(partition)}) {
		if aggregateOf(r) == "acc-"+command {
			seen++
		}
	}
	if seen != expected {
		t.Errorf("%d events of %s are visible in partition %d, want %d", seen, command, partition, expected)
	}
}

// pending tells whether an undecided transaction holds back the committed offset of a command partition.
func (b *blackout) pending(partition int32) bool {
	b.t.Helper()
	described, err := kadm.NewClient(b.client).ListTopics(b.t.Context(), b.group.CommandTopic(""))
	if err != nil {
		b.t.Fatal(err)
	}
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	group := kmsg.NewOffsetFetchRequestGroup()
	group.Group = b.claims.claim.Group
	topic := kmsg.NewOffsetFetchRequestGroupTopic()
	topic.Topic, topic.Partitions = b.group.CommandTopic(""), []int32{partition}
	topic.TopicID = described[topic.Topic].ID
	group.Topics = append(group.Topics, topic)
	req.Groups = append(req.Groups, group)
	resp, err := req.RequestWith(b.t.Context(), b.client)
	if err != nil {
		b.t.Fatal(err)
	}
	switch err := kerr.ErrorForCode(resp.Groups[0].Topics[0].Partitions[0].ErrorCode); {
	case errors.Is(err, kerr.UnstableOffsetCommit):
		return true
	case err != nil:
		b.t.Fatal(err)
	}
	return false
}

// stuck tells whether an open transaction holds back a journal partition.
func (b *blackout) stuck(partition int32) bool {
	b.t.Helper()
	stable, err := kadm.NewClient(b.client).ListCommittedOffsets(b.t.Context(), b.group.JournalTopic(""))
	if err != nil {
		b.t.Fatal(err)
	}
	at, _ := stable.Lookup(b.group.JournalTopic(""), partition)
	if at.Err != nil {
		b.t.Fatal(at.Err)
	}
	return at.Offset < b.end(partition)
}

func (b *blackout) end(partition int32) int64 {
	b.t.Helper()
	ends, err := kadm.NewClient(b.client).ListEndOffsets(b.t.Context(), b.group.JournalTopic(""))
	if err != nil {
		b.t.Fatal(err)
	}
	at, _ := ends.Lookup(b.group.JournalTopic(""), partition)
	if at.Err != nil {
		b.t.Fatal(at.Err)
	}
	return at.Offset
}
