//go:build unix

package service_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/producer"
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

// The same with a handler that writes nothing but commands: what the dead owner left open lies in the other group's topic only, where it hides
// everything behind it. The one that takes over ends it, long before the broker would.
func TestKillHandlerThatOnlyWrites(t *testing.T) {
	brokers := anyBrokers(t)
	d := desksIn(kafkatest.UniqueName(t, "desk"), 1)
	till := d.open(t, brokers)
	cfg := childConfig{
		Group: d.group.Name(), Partitions: 1, Brokers: brokers, Dir: t.TempDir(), Instance: "one", Desk: true,
		Point: producer.PointAfterProduce, Hit: 1, TransactionTimeout: 10 * time.Minute,
	}
	owner := launch(t, cfg)
	owner.await("ready")
	ctx, cancel := contextFor(t)
	defer cancel()
	if _, err := d.take.Send(ctx, till.Client(), "desk-1", slip{ID: "p-1", How: byPoking}); err != nil {
		t.Fatal(err)
	}
	owner.await("at " + cfg.Point)
	owner.kill()
	cfg.Point, cfg.Instance, cfg.Dir = "", "two", t.TempDir()
	owner = launch(t, cfg)
	owner.await("ready")
	d.paidOnce(t, brokers, []string{"p-1"})
	owner.end()
	if !strings.Contains(owner.log.String(), "ended a dead instance's transaction") {
		t.Error("the log does not tell of the leftover transaction")
	}
}
