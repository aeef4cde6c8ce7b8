//go:build unix

package service_test

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/producer"
)

// points are the places at which the engine can be stopped, in the order in which a batch passes them.
func points() []string {
	return []string{
		"polled", "decided", producer.PointAfterFirstProduce, producer.PointAfterProduce, producer.PointAfterOffsets, producer.PointAfterEnd,
		"committed", "stored", "answered",
	}
}

// replied is the point after the first reply has come to its caller. The parent finds it out by itself.
const replied = "replied"

// An owner dies by kill -9 at each point, while callers ask and retry, and starts again: every command takes effect once, every answer given
// before or after is the same and true.
func TestKillAndRestart(t *testing.T) {
	brokers := anyBrokers(t)
	for _, point := range append(points(), replied) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			killed(t, brokers, childConfig{Point: point, Hit: 4}, func(next *childConfig) { next.Point = "" })
		})
	}
}

// The same, but another instance without any state takes over.
func TestKillAndTakeOver(t *testing.T) {
	brokers := realBrokers(t)
	for _, point := range append(points(), replied) {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			killed(t, brokers, childConfig{Point: point, Hit: 4}, func(next *childConfig) { next.Point, next.Instance, next.Dir = "", "two", t.TempDir() })
		})
	}
}

// The heir dies, too, before it has served anything; who comes then finds the leftovers of both.
func TestKillTwice(t *testing.T) {
	brokers := realBrokers(t)
	killed(t, brokers, childConfig{Point: producer.PointAfterProduce, Hit: 4}, func(next *childConfig) {
		next.Point, next.Hit, next.Instance, next.Dir = producer.PointAfterFirstProduce, 1, "two", t.TempDir()
	}, func(next *childConfig) {
		next.Point, next.Instance, next.Dir = "", "three", t.TempDir()
	})
}

// The heir dies in the middle of its recovery, with a part of the journal in its store; the next one goes on from there, or elsewhere from the
// beginning.
func TestKillInRecovery(t *testing.T) {
	brokers := anyBrokers(t)
	for _, same := range []bool{true, false} {
		t.Run(fmt.Sprintf("same directory %v", same), func(t *testing.T) {
			t.Parallel()
			killed(t, brokers, childConfig{Point: "committed", Hit: 4}, func(next *childConfig) {
				next.Point, next.Hit, next.Dir = "recovering", 1, t.TempDir()
			}, func(next *childConfig) {
				next.Point = ""
				if !same {
					next.Instance, next.Dir = "two", t.TempDir()
				}
			})
		})
	}
}

// After the restart there are fewer transactional ids than before; what was left open under one that is not used any more is ended all the
// same, and said aloud.
func TestKillAndRestartWithFewerSlots(t *testing.T) {
	brokers := realBrokers(t)
	said := killed(t, brokers, childConfig{Point: producer.PointAfterProduce, Hit: 4}, func(next *childConfig) { next.Point, next.Slots = "", 1 })
	if !strings.Contains(said, "ended a dead instance's transaction") {
		t.Errorf("the log does not tell of the leftover transaction:\n%s", said)
	}
}

// killed runs the scenario: an owner dies at its point, then each that next makes of it; the last one has no point and stays. It gives what
// that one logged.
func killed(t *testing.T, brokers []string, cfg childConfig, next ...func(*childConfig)) string {
	t.Helper()
	r := newRun(t, brokers, 3, 2)
	cfg.Group, cfg.Partitions, cfg.Brokers, cfg.Dir, cfg.Instance = r.group.Name(), 3, brokers, t.TempDir(), "one"
	if cfg.TransactionTimeout == 0 {
		cfg.TransactionTimeout = time.Minute // who waits for it, fails
	}
	owner := launch(t, cfg)
	owner.await("ready")

	var load sync.WaitGroup
	warm, orders := r.orders(8, 5), r.orders(60, 5)
	if cfg.Point == replied {
		r.give(warm, 2)
		owner.kill()
		load.Go(func() { r.give(orders, 6) })
	} else {
		load.Go(func() { r.give(append(warm, orders...), 6) })
		owner.await("at " + cfg.Point)
		owner.kill()
	}
	found := t.TempDir()
	if err := os.CopyFS(found, os.DirFS(cfg.Dir)); err != nil {
		t.Fatal(err)
	}
	for _, change := range next {
		change(&cfg)
		down := time.Now()
		owner = launch(t, cfg)
		if cfg.Point != "" {
			owner.await("at " + cfg.Point)
			owner.kill()
			continue
		}
		owner.await("ready")
		took := time.Since(down).Round(time.Millisecond)
		t.Logf("%s serves after %v", cfg.Instance, took)
		if took > 30*time.Second {
			t.Errorf("%s serves after %v; it should not have waited for the transaction timeout", cfg.Instance, took)
		}
	}
	load.Wait()
	r.give(append(warm, orders...), 6) // each once more: the original answer, through whichever caller
	j := r.verify()
	r.wantStore(found, j) // as the first kill left it: never ahead of the journal
	owner.end()
	r.wantStore(cfg.Dir, j)
	return owner.log.String()
}
