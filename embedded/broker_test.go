package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
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
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/seed-3eec0498/muster/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a broker for one test. It outlives the test's context, so that clients can say goodbye to it.
func start(t *testing.T, config embedded.Config) *embedded.Broker {
	t.Helper()
	broker, err := embedded.Start(context.WithoutCancel(t.Context()), config)
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	t.Cleanup(broker.Close)
	return broker
}

func client(t *testing.T, broker *embedded.Broker, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(broker.Brokers()...),
		kgo.ProducerLinger(0),
		kgo.FetchMaxWait(100 * time.Millisecond),
	}, options...)...)
	if err != nil {
		t.Fatalf("client: %v", err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func createTopic(t *testing.T, cl *kgo.Client, topic string, partitions int32) kadm.CreateTopicResponse {
	t.Helper()
	created, err := kadm.NewClient(cl).CreateTopic(t.Context(), partitions, -1, nil, topic)
	if err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
	return created
}

func TestRecordsComeBackInOrder(t *testing.T) {
	broker := start(t, embedded.Config{})
	cl := client(t, broker, kgo.ConsumeTopics("numbers"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	createTopic(t, cl, "numbers", 1)

	const count = 100
	for i := range count {
		record := &kgo.Record{Topic: "numbers", Key: []byte("k"), Value: []byte(strconv.Itoa(i))}
		if err := cl.ProduceSync(t.Context(), record).FirstErr(); err != nil {
			t.Fatalf("produce %d: %v", i, err)
		}
	}
	var got []string
	for len(got) < count {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("poll after %d records: %v", len(got), err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	for i, value := range got {
		if value != strconv.Itoa(i) {
			t.Fatalf("record %d holds %q", i, value)
		}
	}
}

func TestReadCommittedSeesCommittedTransactionsOnly(t *testing.T) {
	broker := start(t, embedded.Config{})
	writer := client(t, broker, kgo.TransactionalID("writer"), kgo.TransactionTimeout(15*time.Second))
	createTopic(t, writer, "journal", 1)
	write := func(end kgo.TransactionEndTry, values ...string) {
		t.Helper()
		if err := writer.BeginTransaction(); err != nil {
			t.Fatalf("begin: %v", err)
		}
		for _, value := range values {
			if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: "journal", Value: []byte(value)}).FirstErr(); err != nil {
				t.Fatalf("produce %s: %v", value, err)
			}
		}
		for shown := int32(-1); shown < 0; shown, _, _ = writer.PartitionLeader("journal", 0) {
			if err := t.Context().Err(); err != nil { // see docs/design/0008
				t.Fatal(err)
			}
			runtime.Gosched()
		}
		if err := writer.EndTransaction(t.Context(), end); err != nil {
			t.Fatalf("end: %v", err)
		}
	}
	write(kgo.TryCommit, "a", "b")
	write(kgo.TryAbort, "never")
	write(kgo.TryCommit, "c")

	reader := client(t, broker, kgo.ConsumeTopics("journal"), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	var got []string
	for len(got) < 3 {
		fetches := reader.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatalf("poll: %v", err)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestNoTopicAppearsByItself(t *testing.T) {
	broker := start(t, embedded.Config{})
	cl := client(t, broker, kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1))
	err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: "unasked", Value: []byte("v")}).FirstErr()
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		t.Errorf("produce to a missing topic: %v, want %v", err, kerr.UnknownTopicOrPartition)
	}
	topics, err := kadm.NewClient(cl).ListTopics(t.Context())
	if err != nil {
		t.Fatalf("list topics: %v", err)
	}
	if len(topics) > 0 {
		t.Errorf("topics %v exist, want none", topics.Names())
	}
}

func TestDefaultReplicationFollowsTheNumberOfBrokers(t *testing.T) {
	for brokers, want := range map[int]int16{0: 1, 1: 1, 2: 2, 3: 3, 5: 3} {
		t.Run(fmt.Sprintf("Brokers=%d", brokers), func(t *testing.T) {
			broker := start(t, embedded.Config{Brokers: brokers})
			if got := len(broker.Brokers()); got != max(brokers, 1) {
				t.Errorf("%d addresses, want %d", got, max(brokers, 1))
			}
			if created := createTopic(t, client(t, broker), "t", 1); created.ReplicationFactor != want {
				t.Errorf("replication factor %d, want %d", created.ReplicationFactor, want)
			}
		})
	}
}

func TestEndOfTheContextEndsTheBroker(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		t.Fatalf("start: %v", err)
	}
	if err := client(t, broker).Ping(t.Context()); err != nil {
		t.Fatalf("ping: %v", err)
	}
	cancel()
	<-broker.Done()
	refused(t, broker)
	broker.Close()
}

func TestCloseMayBeCalledAgainAndBySeveral(t *testing.T) {
	broker := start(t, embedded.Config{Brokers: 3})
	var group sync.WaitGroup
	for range 8 {
		group.Go(broker.Close)
	}
	group.Wait()
	select {
	case <-broker.Done():
	default:
		t.Error("Done is open after Close")
	}
	refused(t, broker)
	broker.Close()
}

func TestCloseCutsConnectionsWithoutWaitingForClients(t *testing.T) {
	broker := start(t, embedded.Config{Brokers: 2})
	cl := client(t, broker, kgo.ConsumeTopics("quiet"), kgo.FetchMaxWait(time.Minute))
	createTopic(t, cl, "quiet", 4)
	if err := cl.Ping(t.Context()); err != nil {
		t.Fatalf("ping: %v", err)
	}
	begin := time.Now()
	broker.Close()
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("Close took %v with a client connected", took)
	}
}

// refused fails the test when somebody still listens on the broker's addresses.
func refused(t *testing.T, broker *embedded.Broker) {
	t.Helper()
	for _, address := range broker.Brokers() {
		connection, err := (&net.Dialer{Timeout: time.Second}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			connection.Close()
			t.Errorf("%s still accepts connections", address)
		}
	}
}

func TestStartRefusesAnEndedContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("over")
	cancel(over)
	if _, err := embedded.Start(ctx, embedded.Config{}); !errors.Is(err, over) {
		t.Errorf("error %v, want %v in it", err, over)
	}
}

func TestAPortInUseIsAnErrorAndReleasesTheOthers(t *testing.T) {
	taken := start(t, embedded.Config{})
	_, port, err := net.SplitHostPort(taken.Brokers()[0])
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	before := start(t, embedded.Config{})
	_, port, _ = net.SplitHostPort(before.Brokers()[0])
	free, _ := strconv.Atoi(port)
	before.Close()

	if _, err := embedded.Start(t.Context(), embedded.Config{Ports: []int{free, number}}); err == nil ||
		!strings.Contains(err.Error(), strconv.Itoa(number)) {
		t.Fatalf("error %v, want one naming port %d", err, number)
	}
	again := start(t, embedded.Config{Ports: []int{free}})
	if want := []string{"127.0.0.1:" + port}; !slices.Equal(again.Brokers(), want) {
		t.Errorf("brokers %v, want %v", again.Brokers(), want)
	}
}

func TestClusterTakesFaults(t *testing.T) {
	broker := start(t, embedded.Config{})
	cl := client(t, broker)
	createTopic(t, cl, "orders", 1)
	fault := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: "orders", Err: kerr.TopicAuthorizationFailed})
	produce := func() error {
		return cl.ProduceSync(t.Context(), &kgo.Record{Topic: "orders", Value: []byte("v")}).FirstErr()
	}
	if err := produce(); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("first produce: %v, want %v", err, kerr.TopicAuthorizationFailed)
	}
	if err := produce(); err != nil {
		t.Errorf("second produce: %v", err)
	}
	if hits := fault.Hits(); hits != 1 {
		t.Errorf("fault hit %d times, want 1", hits)
	}
}

func TestLoggerHearsTheBroker(t *testing.T) {
	var heard lines
	broker := start(t, embedded.Config{Logger: slog.New(slog.NewTextHandler(&heard, nil))})
	// A group member of the new protocol is reported when it joins.
	cl := client(t, broker, kgo.ConsumerGroup("listeners"), kgo.ConsumeTopics("numbers"), kgo.ServerSideBalancer())
	createTopic(t, client(t, broker), "numbers", 1)
	if _, err := broker.Cluster().WaitGroupStable(t.Context(), "listeners", 1); err != nil {
		t.Fatalf("wait for the group: %v", err)
	}
	cl.Close()
	if got := heard.String(); !strings.Contains(got, "listeners") || !strings.Contains(got, "level=INFO") {
		t.Errorf("log holds %q, want an INFO line about the group", got)
	}
}

// lines is a text that the broker writes and the test reads.
type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
