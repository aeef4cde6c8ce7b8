package kafkatest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// atMost bounds what a test waits for; a broker that does not come back fails the test instead of hanging it.
func atMost(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	t.Cleanup(cancel)
	return ctx
}

func createTopic(t *testing.T, client *kgo.Client, topic string, partitions int32) {
	t.Helper()
	if _, err := kadm.NewClient(client).CreateTopic(atMost(t, 30*time.Second), partitions, -1, nil, topic); err != nil {
		t.Fatalf("create topic %s: %v", topic, err)
	}
}

func produce(ctx context.Context, client *kgo.Client, topic, value string) error {
	return client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(value)}).FirstErr()
}

// read returns the first values of a topic as a read_committed consumer sees them.
func read(t *testing.T, brokers []string, topic string, count int) []string {
	t.Helper()
	client := connect(t, brokers, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	defer client.Close()
	ctx := atMost(t, 30*time.Second)
	var values []string
	for len(values) < count {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			t.Fatalf("read %q of %s, waiting for %d: %v", values, topic, count, err)
		}
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestRealBrokerServesTransactionsOfVersionTwo(t *testing.T) {
	cluster := kafkatest.Real(t)
	client := connect(t, cluster.Addresses(), kgo.TransactionalID("writer"))
	createTopic(t, client, "journal", 1)
	ctx := atMost(t, time.Minute)
	for _, step := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"a", kgo.TryCommit}, {"never", kgo.TryAbort}, {"b", kgo.TryCommit}} {
		kafkatest.Begin(t, client, &kgo.Record{Topic: "journal", Value: []byte(step.value)})
		if err := client.EndTransaction(ctx, step.end); err != nil {
			t.Fatalf("end of %s: %v", step.value, err)
		}
	}
	if got := read(t, cluster.Addresses(), "journal", 2); strings.Join(got, " ") != "a b" {
		t.Errorf("read %q, want a b", got)
	}

	response, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, client)
	if err != nil {
		t.Fatalf("api versions: %v", err)
	}
	levels := make(map[string]int16)
	for _, feature := range response.FinalizedFeatures {
		levels[feature.Name] = feature.MaxVersionLevel
	}
	if levels["transaction.version"] != 2 {
		t.Errorf("finalized features are %v, want transaction.version 2", levels)
	}

	if err := produce(ctx, connect(t, cluster.Addresses(), kgo.AllowAutoTopicCreation(), kgo.UnknownTopicRetries(1)), "unasked", "v"); !errors.Is(
		err, kerr.UnknownTopicOrPartition) {
		t.Errorf("produce to a missing topic: %v, want %v", err, kerr.UnknownTopicOrPartition)
	}
}

func TestRealBrokerIsKilledPausedAndRestarted(t *testing.T) {
	cluster := kafkatest.Real(t)
	broker := cluster.Broker(0)
	client := connect(t, cluster.Addresses())
	createTopic(t, client, "journal", 1)
	ctx := atMost(t, 2*time.Minute)
	if err := produce(ctx, client, "journal", "before"); err != nil {
		t.Fatal(err)
	}

	first := broker.PID()
	if err := broker.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := kafkatest.Ping(ctx, cluster.Addresses()); err == nil {
		t.Error("a killed broker answers")
	}
	if err := broker.Restart(ctx); err != nil {
		t.Fatal(err)
	}
	if broker.PID() == first {
		t.Error("the restarted broker is the same process")
	}
	if err := produce(ctx, client, "journal", "after kill"); err != nil {
		t.Fatal(err)
	}

	if err := broker.Pause(); err != nil {
		t.Fatal(err)
	}
	if err := kafkatest.Ping(atMost(t, 500*time.Millisecond), cluster.Addresses()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("ping of a paused broker: %v, want %v", err, context.DeadlineExceeded)
	}
	if err := broker.Resume(); err != nil {
		t.Fatal(err)
	}
	if err := produce(ctx, client, "journal", "after pause"); err != nil {
		t.Fatal(err)
	}

	if err := broker.Restart(ctx); err != nil { // this time it runs and is stopped first
		t.Fatal(err)
	}
	got := read(t, cluster.Addresses(), "journal", 3)
	if want := "before|after kill|after pause"; strings.Join(got, "|") != want {
		t.Errorf("read %q, want %s", got, want)
	}
}

// One of three brokers dies, and loses its disk: the others go on, and what it had comes back from them.
func TestThreeRealBrokersSurviveTheLossOfOne(t *testing.T) {
	cluster := kafkatest.RealWith(t, kafkatest.Config{Brokers: 3})
	client := connect(t, cluster.Addresses(), kgo.MetadataMinAge(50*time.Millisecond))
	createTopic(t, client, "journal", 1)
	ctx := atMost(t, 2*time.Minute)
	if err := produce(ctx, client, "journal", "all three"); err != nil {
		t.Fatal(err)
	}
	topics, err := kadm.NewClient(client).ListTopics(ctx, "journal")
	if err != nil {
		t.Fatal(err)
	}
	partition := topics["journal"].Partitions[0]
	if len(partition.Replicas) != 3 {
		t.Errorf("replicas %v, want three", partition.Replicas)
	}
	leader := cluster.Broker(partition.Leader)
	if err := leader.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := produce(ctx, client, "journal", "two left"); err != nil {
		t.Fatalf("produce without broker %d: %v", leader.ID(), err)
	}
	if led, err := cluster.Led(ctx, "journal"); err != nil || len(led[leader.ID()]) > 0 {
		t.Errorf("a dead broker leads: %v, %v", led, err)
	}
	if err := leader.RestartEmpty(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cluster.AwaitInSync(ctx); err != nil {
		t.Fatal(err)
	}
	if err := cluster.PreferLeaders(ctx); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for led := map[int32][]int32(nil); len(led[leader.ID()]) == 0; <-tick.C { // it was the preferred one, and is asked from now on
		if led, err = cluster.Led(ctx, "journal"); err != nil {
			t.Fatal(err)
		}
	}
	if err := produce(ctx, client, "journal", "three again"); err != nil {
		t.Fatal(err)
	}
	got := read(t, cluster.Addresses(), "journal", 3)
	if want := "all three|two left|three again"; strings.Join(got, "|") != want {
		t.Errorf("read %q, want %s", got, want)
	}
}

func TestDetachedBrokersAreFoundAndStopped(t *testing.T) {
	cluster := kafkatest.Real(t) // another one, which must not be touched
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := kafkatest.StopDetached(dir); err != nil {
			t.Error(err)
		}
	})
	config := kafkatest.Config{Dir: dir, HeapMiB: 512}
	ctx := atMost(t, 2*time.Minute)
	addresses, err := kafkatest.StartDetached(ctx, config)
	if err != nil {
		t.Fatal(err)
	}
	config.Brokers = 3
	if _, err := kafkatest.StartDetached(ctx, config); err == nil || !strings.Contains(err.Error(), "already run") {
		t.Errorf("a second start of another size: %v, want an error", err)
	}
	if _, err := kafkatest.Start(ctx, kafkatest.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "run from "+dir) {
		t.Errorf("a second start in the same directory: %v, want an error", err)
	}
	if err := kafkatest.StopDetached(dir); err != nil {
		t.Fatal(err)
	}
	if err := kafkatest.Ping(ctx, addresses); err == nil {
		t.Error("the stopped broker answers")
	}
	if err := kafkatest.Ping(ctx, cluster.Addresses()); err != nil {
		t.Errorf("the other broker: %v", err)
	}
	if err := kafkatest.StopDetached(dir); err != nil {
		t.Errorf("second stop: %v", err)
	}
}

// childVariable makes TestBrokersDieWithTheirTest play the test that is killed.
const childVariable = "MUSTER_KAFKATEST_CHILD"

func TestBrokersDieWithTheirTest(t *testing.T) {
	cluster := kafkatest.Real(t)
	if file := os.Getenv(childVariable); file != "" {
		if err := os.WriteFile(file+".part", []byte(strconv.Itoa(cluster.Broker(0).PID())), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".part", file); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // the parent kills this process
	}
	if _, err := os.Stat("/proc/self"); err != nil {
		t.Skip("only Linux ends the children of a killed process")
	}
	file := filepath.Join(t.TempDir(), "pid")
	ctx := atMost(t, time.Minute)
	child := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestBrokersDieWithTheirTest$")
	child.Env = append(os.Environ(), childVariable+"="+file)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	text := eventually(ctx, t, "the child's broker runs", func() ([]byte, bool) {
		text, err := os.ReadFile(file)
		return text, err == nil
	})
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	eventually(ctx, t, "the child's broker is gone", func() (struct{}, bool) {
		line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline")) // empty once it has ended
		return struct{}{}, len(line) == 0
	})
	if err := kafkatest.Ping(ctx, cluster.Addresses()); err != nil {
		t.Errorf("the broker of the living test is gone as well: %v", err)
	}
}

// eventually looks until there is something to see.
func eventually[T any](ctx context.Context, t *testing.T, what string, look func() (T, bool)) T {
	t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	for {
		if seen, ok := look(); ok {
			return seen
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			t.Fatalf("waiting in vain until %s", what)
		}
	}
}
