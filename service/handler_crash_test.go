//go:build unix

package service_test

import (
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// The owner of a stateless handler dies by kill -9 at each point, while callers ask and retry, and another one without its state takes over:
// whatever the handler wrote to another group, or called there, takes effect there once.
func TestKillHandlerOwner(t *testing.T) {
	brokers := anyBrokers(t)
	for _, point := range points() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			d := desksIn(kafkatest.UniqueName(t, "desk"), 3)
			till := d.open(t, brokers)
			cfg := childConfig{
				Group: d.group.Name(), Partitions: 3, Brokers: brokers, Dir: t.TempDir(), Instance: "one", Desk: true,
				Point: point, Hit: 4, TransactionTimeout: time.Minute, // who waits for it, fails
			}
			owner := launch(t, cfg)
			owner.await("ready")
			given := make(chan []string, 1)
			go func() { given <- d.give(t, till.Client(), "first", 8) }()
			owner.await("at " + point)
			owner.kill()
			cfg.Point, cfg.Instance, cfg.Dir = "", "two", t.TempDir()
			owner = launch(t, cfg)
			owner.await("ready")
			ids := <-given
			if again := d.give(t, till.Client(), "first", 8); len(again) != len(ids) { // each once more
				t.Errorf("%d slips, then %d", len(ids), len(again))
			}
			d.paidOnce(t, brokers, ids)
			owner.end()
		})
	}
}
