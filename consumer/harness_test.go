package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience bounds every wait of these tests; none of them is expected to take a fraction of it.
const patience = 90 * time.Second

// cluster is a broker with the topics of one group.
type cluster struct {
	t      testing.TB
	fake   *kfake.Cluster // the broker underneath, where it is an embedded one
	kafka  kafka.Config
	group  *muster.Group
	client *kgo.Client // writes wherever a record says
	adm    *kadm.Client
}

// start takes the brokers the suite runs on.
func start(t testing.TB, partitions int) *cluster {
	t.Helper()
	if os.Getenv(kafkatest.BrokersVariable) == "" {
		return startEmbedded(t, partitions)
	}
	return open(t, kafkatest.Brokers(t), nil, partitions)
}

// startEmbedded takes an embedded broker whatever the suite runs on, for tests that inject faults into it.
func startEmbedded(t testing.TB, partitions int) *cluster {
	t.Helper()
	broker := kafkatest.Embedded(t, embedded.Config{Brokers: 3})
	return open(t, broker.Brokers(), broker.Cluster(), partitions)
}

func open(t testing.TB, brokers []string, fake *kfake.Cluster, partitions int) *cluster {
	t.Helper()
	c := &cluster{
		t: t, fake: fake, kafka: kafka.Config{Brokers: brokers},
		group: muster.NewGroup(kafkatest.UniqueName(t, "accounts"), muster.Partitions(partitions)),
	}
	var err error
	c.client, err = c.kafka.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.client.Close)
	c.adm = kadm.NewClient(c.client)
	if _, err := kafka.EnsureGroup(within(t), c.client, c.group, "", true); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *cluster) commands() string { return c.group.CommandTopic("") }
func (c *cluster) events() string   { return c.group.JournalTopic("") }

// within gives a context that ends with the test or when patience does.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// config is that of a member with the given name. It has the default session, for a busy machine must not look like a dead one, and a short
// heartbeat, so that it notices at once when others join.
func (c *cluster) config(instance string, options ...kgo.Opt) consumer.Config {
	config := consumer.Config{Kafka: c.kafka, Group: c.group, Instance: instance}
	config.Kafka.Options = slices.Concat(options, []kgo.Opt{kgo.HeartbeatInterval(100 * time.Millisecond)})
	return config
}

// keys gives aggregate ids, one for each partition.
func (c *cluster) keys() []string {
	keys := make([]string, c.group.Partitions())
	for i, left := 0, len(keys); left > 0; i++ {
		key := "acc-" + strconv.Itoa(i)
		if p := kafka.Partition(key, c.group.Partitions()); keys[p] == "" {
			keys[p], left = key, left-1
		}
	}
	return keys
}

// send writes n commands to one partition; their payloads are the numbers from first on.
func (c *cluster) send(key string, first, n int) {
	c.t.Helper()
	records := make([]*kgo.Record, n)
	for i := range records {
		records[i] = c.record(key, strconv.Itoa(first+i))
	}
	c.write(records...)
}

func (c *cluster) record(key, payload string) *kgo.Record {
	partition := kafka.Partition(key, c.group.Partitions())
	command := &muster.Command{
		Meta:    muster.Meta{ID: key + "/" + payload[:min(len(payload), 20)], Type: "test", Group: c.group.Name(), AggregateID: key, Time: time.Unix(1, 0).UTC()},
		Payload: []byte(payload),
	}
	return kafka.EncodeCommand(command, c.commands(), partition)
}

func (c *cluster) write(records ...*kgo.Record) {
	c.t.Helper()
	if err := c.client.ProduceSync(within(c.t), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// member is a consumer that runs, and what came of it.
type member struct {
	*consumer.Consumer
	t    testing.TB
	stop context.CancelFunc // ends Run
	done chan struct{}      // closed when Run has returned
	err  error              // what it returned; to be read after done
}

// run opens a consumer and starts Run. It is closed at the end of the test.
func run(t testing.TB, config consumer.Config) *member {
	t.Helper()
	c, err := consumer.Open(within(t), config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{Consumer: c, t: t, stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		m.err = c.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		c.Close()
		<-m.done
	})
	return m
}

// change gives the next one that is not empty.
func (m *member) change() consumer.Change {
	m.t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		select {
		case ch, ok := <-m.Changes():
			if !ok {
				m.t.Fatal("Changes is closed")
			}
			if len(ch.Assigned)+len(ch.Revoked)+len(ch.Lost) > 0 {
				return ch
			}
		case <-limit.C:
			m.t.Fatal("no change came")
		}
	}
}

// serveAll waits until n partitions are assigned, and serves them.
func (m *member) serveAll(n int) {
	m.t.Helper()
	for n > 0 {
		ch := m.change()
		if len(ch.Revoked)+len(ch.Lost) > 0 {
			m.t.Fatalf("unexpected change: %+v", ch)
		}
		for _, p := range ch.Assigned {
			m.Serve(p)
		}
		n -= len(ch.Assigned)
	}
}

// poll gives the next Work of a lane.
func (m *member) poll(lane int) *consumer.Work {
	m.t.Helper()
	w, err := m.Poll(within(m.t), lane)
	if err != nil {
		m.t.Fatal(err)
	}
	return w
}

// commit is the test committer: it commits the offsets behind the given commands as the claim says, and tells whether the group let it.
func (c *cluster) commit(ctx context.Context, claims *consumer.Consumer, commands []muster.Command) error {
	next := map[int32]int64{}
	var partitions []int32
	for i := range commands {
		p := commands[i].Partition
		if _, seen := next[p]; !seen {
			partitions = append(partitions, p)
		}
		next[p] = commands[i].Offset + 1
	}
	claim, err := claims.Claim(partitions)
	if err != nil {
		return err
	}
	return c.commitAs(ctx, claim, next)
}

// faults collects what OnFault hears.
type faults struct {
	mu   sync.Mutex
	all  []error
	more chan struct{}
}

func newFaults() *faults { return &faults{more: make(chan struct{}, 100)} }

func (f *faults) hear(_ string, _ int32, _ int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, err)
	f.more <- struct{}{}
}

func (f *faults) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-f.more:
	case <-time.After(patience):
		t.Fatal("no fault was told")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.all...)
}

// sofar gives what was told so far.
func (f *faults) sofar() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.all)
}

// eventually waits until a condition holds that nothing signals. It looks every few milliseconds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline, tick := time.NewTimer(patience), time.NewTicker(2*time.Millisecond)
	defer deadline.Stop()
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("never happened: %s", what)
		}
	}
}

// payloads gives the payloads of commands per partition, in order.
func payloads(commands []muster.Command) map[int32][]string {
	all := map[int32][]string{}
	for i := range commands {
		all[commands[i].Partition] = append(all[commands[i].Partition], string(commands[i].Payload))
	}
	return all
}

func numbers(first, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprint(first + i)
	}
	return all
}
