package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// On three brokers, every record on each of them, one dies that leads some partitions: the others take over, lanes are formed anew, and the
// service goes on with two.
func TestThreeBrokers(t *testing.T) {
	cluster := kafkatest.RealWith(t, kafkatest.Config{Brokers: 3})
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
