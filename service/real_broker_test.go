package service_test

import (
	"testing"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// The only broker dies by kill -9 and comes back, twice, under load: the service waits for it and goes on; nothing is lost or doubled,
// and no answer was false.
func TestBrokerKilled(t *testing.T) {
	cluster := kafkatest.Real(t)
	r := newRun(t, cluster.Addresses(), 6, 2)
	dir := t.TempDir()
	owner := start(t, r.ownerConfig("one", dir), r.owner())
	stop := r.steady(8, 20)
	for range 2 {
		r.awaitAnswers(200)
		if err := cluster.Broker(0).Kill(); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := contextFor(t)
		err := cluster.Broker(0).Restart(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
	}
	r.awaitAnswers(200)
	stop()
	r.report()
	j := r.verify()
	owner.end()
	r.wantStore(dir, j)
}
