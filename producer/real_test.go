package producer_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// onKafka is a bed on Apache Kafka, with a group of its own.
func onKafka(t *testing.T, cluster *kafkatest.Cluster) *bed {
	t.Helper()
	name := kafkatest.UniqueName(t, "accounts")
	b := &bed{
		t: t, addresses: cluster.Addresses(), group: muster.NewGroup(name, muster.Partitions(12)), tap: &kafkatest.Tap{},
		claims: &claims{claim: kafka.Claim{Group: name + "-owners", Generation: -1}},
	}
	b.connect()
	if _, err := kafka.EnsureGroup(t.Context(), b.client, b.group, "", true); err != nil {
		t.Fatal(err)
	}
	return b
}

// times commits n decisions, each with one event in every partition given, and gives the durations, sorted.
func (b *bed) times(lane *producer.Lane, name string, n int, partitions ...int32) []time.Duration {
	var took []time.Duration
	for i := range n + 8 {
		began := time.Now()
		if err := lane.Commit(b.t.Context(), b.decide(fmt.Sprint(name, "-", i), partitions...)); err != nil {
			b.t.Error(err)
			return []time.Duration{0}
		}
		if i >= 8 { // the first ones make connections
			took = append(took, time.Since(began))
		}
	}
	slices.Sort(took)
	return took
}

func quantiles(took []time.Duration) string {
	at := func(q int) time.Duration { return took[(len(took)-1)*q/100].Round(10 * time.Microsecond) }
	return fmt.Sprintf("p50 %v, p90 %v, p99 %v, max %v", at(50), at(90), at(99), at(100))
}

// A single id waits for its own markers; ids in turn do not.
func TestRealRotation(t *testing.T) {
	b := onKafka(t, kafkatest.Real(t))
	all := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	median := map[int]time.Duration{}
	for _, slots := range []int{1, 2, 4} {
		stages := newStages()
		lane := b.open(func(c *producer.Config) {
			c.Slots, c.Instance, c.Observe = slots, fmt.Sprint("i", slots), stages.add
		}).Lane(0)
		took := b.times(lane, fmt.Sprint("s", slots), 300, all...)
		t.Logf("one broker, 12 partitions, %d slot(s): %s; %s", slots, quantiles(took), stages)
		median[slots] = took[len(took)/2]
	}
	if median[4] > median[1]/2 {
		t.Errorf("median with four slots %v, with one %v", median[4], median[1])
	}
	if n := len(b.committed(b.group.JournalTopic(""))); n != 3*308*12 {
		t.Errorf("%d events visible, want %d", n, 3*308*12)
	}
}

// Lanes by leader side by side, against one lane that spans the leaders.
func TestRealLanes(t *testing.T) {
	b := onKafka(t, kafkatest.RealWith(t, kafkatest.Config{Brokers: 3}))
	byLeader := map[int32][]int32{}
	described, err := kadm.NewClient(b.client).ListTopics(t.Context(), b.group.JournalTopic(""))
	if err != nil {
		t.Fatal(err)
	}
	var all []int32
	for _, p := range described[b.group.JournalTopic("")].Partitions.Sorted() {
		byLeader[p.Leader] = append(byLeader[p.Leader], p.Partition)
		all = append(all, p.Partition)
	}
	stages := newStages()
	p := b.open(func(c *producer.Config) { c.Lanes, c.Slots, c.Observe = 4, 4, stages.add })
	took := b.times(p.Lane(3), "span", 150, all...)
	t.Logf("three brokers, one lane, 12 partitions leader after leader: %s; %s", quantiles(took), stages)

	stages.reset()
	var mu sync.Mutex // guards together
	var together []time.Duration
	var running sync.WaitGroup
	for leader, partitions := range byLeader {
		running.Go(func() {
			took := b.times(p.Lane(int(leader)), fmt.Sprint("lane", leader), 150, partitions...) // the brokers are 0, 1, 2
			mu.Lock()
			defer mu.Unlock()
			together = append(together, took...)
		})
	}
	running.Wait()
	slices.Sort(together)
	t.Logf("three brokers, %d lanes side by side: %s; %s", len(byLeader), quantiles(together), stages)

	stages.reset()
	for leader, partitions := range byLeader {
		took = b.times(p.Lane(0), fmt.Sprint("alone", leader), 150, partitions...)
		break
	}
	t.Logf("three brokers, one lane of one leader alone: %s; %s", quantiles(took), stages)
}

// Whatever a broker that is killed again and again does to commits: what was answered is true.
func TestRealBrokerKilledUnderCommits(t *testing.T) {
	cluster := kafkatest.Real(t)
	b := onKafka(t, cluster)
	lane := b.open(func(c *producer.Config) { c.Slots = 3 }).Lane(0)
	answers := map[string]error{}
	committed := make(chan struct{})
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for i := 0; ; i++ {
			id := fmt.Sprint("c", i)
			began := time.Now()
			answers[id] = lane.Commit(t.Context(), b.decide(id, 0, 1, 2))
			if took := time.Since(began); took > time.Second {
				t.Logf("%s took %v: %v", id, took.Round(time.Millisecond), answers[id])
			}
			var tell chan struct{}
			if answers[id] == nil {
				tell = committed
			}
			select {
			case <-stop:
				return
			case tell <- struct{}{}:
			default:
			}
		}
	})
	for range 4 {
		for range 20 { // it works before the next blow
			<-committed
		}
		if err := cluster.Broker(0).Kill(); err != nil {
			t.Error(err)
		}
		if err := cluster.Broker(0).Restart(t.Context()); err != nil {
			t.Error(err)
		}
	}
	<-committed
	close(stop)
	running.Wait()
	if err := lane.Settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, r := range b.committed(b.group.JournalTopic("")) {
		seen[aggregateOf(r)]++
	}
	counts := map[string]int{}
	for id, err := range answers {
		n := seen["acc-"+id]
		switch {
		case err == nil && n == 3:
			counts["committed"]++
		case errors.Is(err, muster.ErrAborted) && n == 0:
			counts["aborted"]++
		case errors.Is(err, muster.ErrUnknown) && (n == 0 || n == 3):
			counts["unknown"]++
		default:
			t.Errorf("%s: %d events visible after %v", id, n, err)
		}
	}
	t.Logf("%v", counts)
}

func TestRealLeftovers(t *testing.T) {
	b := onKafka(t, kafkatest.Real(t))
	p := b.open()
	b.leave(b.group.Name()+"/two/0/1", 1)
	began := time.Now()
	fenced, err := p.FenceLeftovers(t.Context(), 1, []string{"one"})
	if err != nil || !slices.Equal(fenced, []string{b.group.Name() + "/two/0/1"}) {
		t.Fatalf("fenced %v, %v", fenced, err)
	}
	t.Logf("a dead instance's transaction was fenced in %v", time.Since(began).Round(time.Millisecond))
	want(t, p.Lane(0).Commit(t.Context(), b.decide("c1", 1)), nil)
	if keys := b.keys("c1"); len(keys) != 1 {
		t.Errorf("visible: %v", keys)
	}

	b.leave(b.group.Name()+"/one/0/1", 2)
	began = time.Now()
	p = b.open()
	t.Logf("opened over an own leftover in %v", time.Since(began).Round(time.Millisecond))
	want(t, p.Lane(0).Commit(t.Context(), b.decide("c2", 2)), nil)
	if keys := b.keys("c2"); len(keys) != 1 {
		t.Errorf("visible: %v", keys)
	}
}

func aggregateOf(r *kgo.Record) string {
	key := string(r.Key)
	return key[:len(key)-2] // the revisions here have one digit
}

// stages collects the times of [producer.Config.Observe].
type stages struct {
	mu   sync.Mutex // guards took; lanes add, the test reads
	took map[string][]time.Duration
}

func newStages() *stages { return &stages{took: map[string][]time.Duration{}} }

func (s *stages) add(stage string, took time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.took[stage] = append(s.took[stage], took)
}

func (s *stages) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.took)
}

func (s *stages) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := "medians"
	for _, stage := range []string{producer.StageProduce, producer.StageOffsets, producer.StageEnd} {
		took := slices.Sorted(slices.Values(s.took[stage]))
		text += fmt.Sprintf(" %s %v", stage, took[len(took)/2].Round(10*time.Microsecond))
	}
	return text
}
