package producer_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// onKafka is a bed on Apache Kafka, with a group of its own.
func onKafka(t testing.TB, brokers []string) *bed {
	t.Helper()
	name := kafkatest.UniqueName(t, "accounts")
	b := &bed{
		t: t, addresses: brokers, group: muster.NewGroup(name, muster.Partitions(12)), tap: &kafkatest.Tap{},
		claims: &claims{claim: kafka.Claim{Group: name + "-owners", Generation: -1}},
	}
	b.connect()
	if _, err := kafka.EnsureGroup(t.Context(), b.client, b.group, "", true); err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever a broker that is killed again and again does to commits: what was answered is true.
func TestRealBrokerKilledUnderCommits(t *testing.T) {
	cluster := kafkatest.Real(t)
	b := onKafka(t, cluster.Addresses())
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
	for range 2 {
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
	b := onKafka(t, kafkatest.RealBrokers(t))
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
