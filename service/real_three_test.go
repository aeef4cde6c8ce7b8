package service_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// On three brokers, every record on each of them.
func TestThreeBrokers(t *testing.T) {
	cluster := kafkatest.RealWith(t, kafkatest.Config{Brokers: 3})
	t.Run("commit times", func(t *testing.T) { commitTimes(t, cluster.Addresses()) })
	t.Run("leader killed", func(t *testing.T) { leaderKilled(t, cluster) })
}

// The broker makes the next transaction of the same id wait 20 ms, and another 20 ms for each further leader that registers at the same
// time. Rotation and lanes are there so that nobody waits; with one slot one can see what they save. What the machine has to spare differs, so
// the bound moves with the time that a plain acknowledged write takes meanwhile, of which a commit is about four; a machine on which that
// alone takes long shows nothing.
func commitTimes(t *testing.T, brokers []string) {
	measure := func(slots int) (median, plain float64) {
		r := newRun(t, brokers, 6, 1)
		registry := prometheus.NewRegistry()
		cfg := r.ownerConfig("one", t.TempDir())
		cfg.SessionTimeout, cfg.Slots, cfg.Metrics = 0, slots, registry
		owner := start(t, cfg, r.owner())
		defer owner.end()
		r.give(r.orders(200, 40), 4) // connections, coordinators, code paths
		writes := r.plainWrites()
		r.give(r.orders(800, 40), 4)
		plain = writes()
		labels := func(stage string) map[string]string {
			return map[string]string{"group": r.group.Name(), "stage": stage}
		}
		for _, stage := range []string{"produce", "offsets", "end", "commit"} {
			p50, n := quantile(t, registry, "muster_stage_seconds", labels(stage), 0.5)
			p90, _ := quantile(t, registry, "muster_stage_seconds", labels(stage), 0.9)
			p99, _ := quantile(t, registry, "muster_stage_seconds", labels(stage), 0.99)
			t.Logf("slots %d, stage %-7s: %d times, p50 <= %5.1f ms, p90 <= %5.1f ms, p99 <= %5.1f ms", slots, stage, n, p50*1e3, p90*1e3, p99*1e3)
		}
		t.Logf("slots %d, plain write: p50 %.1f ms", slots, plain*1e3)
		r.report()
		r.verify()
		median, _ = quantile(t, registry, "muster_stage_seconds", labels("commit"), 0.5)
		return median, plain
	}
	rotating, plain := measure(4)
	const busy = 0.005
	if plain > busy {
		t.Skipf("a plain write takes %.1f ms here, so a step of 20 ms cannot be told from other waiting; run it on a machine with time to spare", plain*1e3)
	}
	if bound := 0.0128 + 4*plain; rotating > bound {
		t.Errorf("half of the commits took up to %.1f ms, more than %.1f ms: a step of 20 ms, in spite of rotation and lanes", rotating*1e3, bound*1e3)
	}
	single, plain := measure(1)
	if plain < 0.002 && single < 0.02 {
		t.Errorf("with one slot the median is below %.1f ms; this measurement would not show a step of 20 ms", single*1e3)
	}
}

// plainWrites begins to write without transactions, one record after another. The function it gives ends that, and tells the median time in
// seconds.
func (r *run) plainWrites() (stop func() float64) {
	r.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(r.brokers...), kgo.ProducerLinger(0))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	r.t.Cleanup(cancel)
	times := make(chan []time.Duration, 1)
	go func() {
		defer client.Close()
		var took []time.Duration
		for {
			began := time.Now()
			record := &kgo.Record{Topic: r.group.DeadLetterTopic(""), Key: []byte("plain"), Value: make([]byte, 200)}
			err := client.ProduceSync(ctx, record).FirstErr()
			if ctx.Err() != nil {
				break
			}
			if err != nil {
				r.t.Errorf("plain write: %v", err)
				break
			}
			took = append(took, time.Since(began))
		}
		times <- took
	}()
	return func() float64 {
		cancel()
		took := <-times
		if len(took) == 0 {
			r.t.Fatal("not one plain write was acknowledged")
		}
		slices.Sort(took)
		return took[len(took)/2].Seconds()
	}
}

// A broker dies that leads some partitions: the others take over, lanes are formed anew, and the service goes on with two.
func leaderKilled(t *testing.T, cluster *kafkatest.Cluster) {
	r := newRun(t, cluster.Addresses(), 6, 2)
	owners, dirs := make([]*running, 2), []string{t.TempDir(), t.TempDir()}
	for i := range owners {
		cfg := r.ownerConfig(fmt.Sprintf("owner-%d", i), dirs[i])
		cfg.SessionTimeout = 3 * time.Second
		owners[i] = start(t, cfg, r.owner())
	}
	stop := r.steady(8, 40)
	r.awaitAnswers(200)
	if err := cluster.Broker(1).Kill(); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	r.awaitAnswers(400) // with two brokers
	t.Logf("400 answers within %v of the loss of a broker", time.Since(began).Round(time.Millisecond))
	ctx, cancel := contextFor(t)
	defer cancel()
	if err := cluster.Broker(1).Restart(ctx); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswers(200)
	stop()
	r.report()
	j := r.verify()
	for i, owner := range owners {
		owner.end()
		r.wantStore(dirs[i], j)
	}
}
