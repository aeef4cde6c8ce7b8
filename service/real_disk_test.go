//go:build unix

package service_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/service"
)

// The disk is gone between two runs, and with it the state and the instance's name: all of it comes back from the journal, the answers too.
func TestLostDisk(t *testing.T) {
	r := newRun(t, anyBrokers(t), 3, 1)
	dir := filepath.Join(t.TempDir(), "data")
	first := start(t, r.ownerConfig("", dir), r.owner())
	orders := r.orders(100, 10)
	r.give(orders, 8)
	name := first.Instance()
	first.end()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	second := start(t, r.ownerConfig("", dir), r.owner())
	if second.Instance() == name {
		t.Errorf("the instance is still called %s; was the directory not lost?", name)
	}
	r.give(append(orders, r.orders(50, 10)...), 8)
	j := r.verify()
	second.end()
	r.wantStore(dir, j)
}

// The disk is full: the owner stops where everybody can see it, and goes on when there is room again; nothing is lost.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to mount a small tmpfs that can be filled")
	}
	r := newRun(t, anyBrokers(t), 3, 1)
	dir := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if said, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=64m", "muster-test", dir).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %v: %s", err, said)
	}
	t.Cleanup(func() {
		if said, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, said)
		}
	})
	registry := prometheus.NewRegistry()
	cfg := r.ownerConfig("one", filepath.Join(dir, "data"))
	cfg.Metrics = registry
	owner := start(t, cfg, r.owner())
	r.give(r.orders(60, 10), 4)

	filler := filepath.Join(dir, "filler")
	fill(t, filler)
	stop := r.steady(4, 10)
	r.await("visible stop", func() bool {
		for _, p := range owner.Status() {
			if p.State == service.Recovering && errors.Is(p.Cause, journal.ErrFull) {
				return true
			}
		}
		return false
	})
	if err := owner.Ready(); err == nil {
		t.Error("ready, although the disk is full")
	}
	if n := total(t, registry, "muster_suspensions_total", map[string]string{"reason": "store"}); n < 1 {
		t.Error("the stop is not counted")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	r.awaitAnswers(100)
	stop()
	ctx, cancel := contextFor(t)
	defer cancel()
	if err := owner.AwaitReady(ctx); err != nil {
		t.Errorf("there is room again, and still: %v", err)
	}
	r.report()
	j := r.verify()
	owner.end()
	r.wantStore(cfg.DataDir, j)
}

// fill writes a file until there is no room left.
func fill(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
