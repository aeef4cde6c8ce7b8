package producer_test

import (
	"fmt"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/producer"
)

// What stands here shows what rotation and lanes save on Apache Kafka, where a transaction waits for the markers of the one before it. Times
// depend on what else the machine does, so nothing is judged by them: go test ./producer -run - -bench Real, with MUSTER_KAFKA_REAL=1.

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

// BenchmarkRealRotation commits to twelve partitions of one broker: a single id waits for its own markers, ids in turn do not.
func BenchmarkRealRotation(b *testing.B) {
	bed := onKafka(b, kafkatest.RealBrokers(b))
	all := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	for _, slots := range []int{1, 2, 4} {
		b.Run(fmt.Sprint("slots=", slots), func(b *testing.B) {
			stages := newStages()
			lane := bed.open(func(c *producer.Config) {
				c.Slots, c.Instance, c.Observe = slots, fmt.Sprint("i", slots), stages.add
			}).Lane(0)
			report(b, bed.times(lane, fmt.Sprint("s", slots, "-", b.N), b.N, all...))
			b.Log(stages)
		})
	}
}

// BenchmarkRealLanes commits to twelve partitions of three brokers: by one lane that spans them all, by lanes of one leader each side by side, and
// by one of these alone.
func BenchmarkRealLanes(b *testing.B) {
	bed := onKafka(b, kafkatest.RealWith(b, kafkatest.Config{Brokers: 3}).Addresses())
	byLeader := map[int32][]int32{}
	described, err := kadm.NewClient(bed.client).ListTopics(b.Context(), bed.group.JournalTopic(""))
	if err != nil {
		b.Fatal(err)
	}
	var all []int32
	for _, p := range described[bed.group.JournalTopic("")].Partitions.Sorted() {
		byLeader[p.Leader] = append(byLeader[p.Leader], p.Partition)
		all = append(all, p.Partition)
	}
	p := bed.open(func(c *producer.Config) { c.Lanes, c.Slots = 4, 4 })
	b.Run("one for all", func(b *testing.B) { report(b, bed.times(p.Lane(3), fmt.Sprint("span-", b.N), b.N, all...)) })
	b.Run("side by side", func(b *testing.B) {
		var mu sync.Mutex // guards together
		var together []time.Duration
		var running sync.WaitGroup
		for leader, partitions := range byLeader {
			running.Go(func() {
				took := bed.times(p.Lane(int(leader)), fmt.Sprint("lane-", leader, "-", b.N), b.N, partitions...) // the brokers are 0, 1, 2
				mu.Lock()
				defer mu.Unlock()
				together = append(together, took...)
			})
		}
		running.Wait()
		slices.Sort(together)
		report(b, together)
	})
	b.Run("one alone", func(b *testing.B) { report(b, bed.times(p.Lane(0), fmt.Sprint("alone-", b.N), b.N, byLeader[0]...)) })
}

// BenchmarkRealScribe writes the checkpoints of one shard back to back: its one id waits for its own markers, which bounds how many batches a
// shard commits.
func BenchmarkRealScribe(b *testing.B) {
	bed := onKafka(b, kafkatest.Real(b).Addresses())
	s := bed.claim(bed.ledger())
	n := 0
	for b.Loop() {
		n++
		if err := s.Write(b.Context(), next(int64(n)), said("e"+strconv.Itoa(n))); err != nil {
			b.Fatal(err)
		}
	}
}

func report(b *testing.B, took []time.Duration) {
	b.Helper()
	for _, q := range []int{50, 90, 99} {
		b.ReportMetric(float64(took[(len(took)-1)*q/100].Microseconds())/1000, fmt.Sprint("p", q, "-ms"))
	}
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
