package journal_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

func TestRecreatedTopicIsWiped(t *testing.T) {
	mem := vfs.NewMem()
	first, second := [16]byte{1}, [16]byte{2}
	for _, step := range []struct {
		topic [16]byte
		wiped string
		next  int
	}{
		{[16]byte{}, "", 0}, // the broker gives no ids
		{first, "", 1},      // now it does: taken over
		{first, "", 2},
		{[16]byte{}, "", 3},
		{second, journal.ReasonRecreatedTopic, 0},
		{second, "", 1},
	} {
		var log bytes.Buffer
		var heard []journal.Rebuilt
		s := open(t, journal.Config{
			Dir: "state", FS: mem, Logger: slog.New(slog.NewTextHandler(&log, nil)),
			Observe: journal.Observe{Rebuilt: func(r journal.Rebuilt) { heard = append(heard, r) }},
		})
		g, err := s.Group(accounts, "eu-", map[string][16]byte{"eu-accounts.events": step.topic, "eu-accounts.commands": {9}})
		if err != nil {
			t.Fatal(err)
		}
		at := openPartition(t, g, 3)
		if at.Wiped != step.wiped || at.Next != int64(3*step.next) {
			t.Fatalf("topic %x: %+v, want %q and batch %d", step.topic, at, step.wiped, step.next)
		}
		if step.topic != [16]byte{} && at.TopicID != step.topic {
			t.Fatalf("topic %x: the checkpoint says %x", step.topic, at.TopicID)
		}
		if step.wiped != "" {
			loud := strings.Contains(log.String(), "level=ERROR") && strings.Contains(log.String(), "reason=recreated-topic")
			if !loud || len(heard) != 1 || heard[0].Group != "eu-accounts" || heard[0].Partition != 3 || heard[0].Reason != step.wiped {
				t.Fatalf("not loud: %s, %+v", log.String(), heard)
			}
		}
		wantBatches(t, g, 3, step.next, step.next+1)
		mustStore(t, g, batch(3, step.next+1))
		closeStore(t, s)
	}
}

func TestReleaseKeepsRowsWarm(t *testing.T) {
	g := openGroup(t, open(t, journal.Config{}))
	mustStore(t, g, batch(4, 1))
	g.Release(4)
	g.Release(4)
	if _, err := g.Load(4, "acc-0"); !errors.Is(err, muster.ErrNotHeld) {
		t.Fatalf("Load of a released partition: %v", err)
	}
	if err := g.Store(t.Context(), []muster.Changes{batch(4, 2)}); !errors.Is(err, muster.ErrNotHeld) {
		t.Fatalf("Store to a released partition: %v", err)
	}
	if at := openPartition(t, g, 4); at.Next != 3 || at.Answers != 4 {
		t.Fatalf("checkpoint %+v", at)
	}
	wantBatches(t, g, 4, 1, 2)
	if again := openPartition(t, g, 4); again.Next != 3 {
		t.Fatalf("opening again: %+v", again)
	}
}

func TestExpire(t *testing.T) {
	mem := vfs.NewMem()
	clock := noon
	cfg := journal.Config{Dir: "state", FS: mem, Now: func() time.Time { return clock }}
	s := open(t, cfg)
	g := openGroup(t, s)
	for p := range int32(4) {
		mustStore(t, g, batch(p, 1), batch(p, 2))
	}
	g.Release(1)
	clock = clock.Add(time.Minute)
	g.Release(2)
	expire := func(before time.Time) {
		t.Helper()
		if err := g.Expire(t.Context(), before); err != nil {
			t.Fatal(err)
		}
	}
	expire(noon) // nobody was released before
	expire(noon.Add(time.Second))
	openPartition(t, g, 1)
	openPartition(t, g, 2)
	for p, n := range []int{2, 0, 2, 2} {
		wantBatches(t, g, int32(p), n, 2)
	}
	mustStore(t, g, batch(1, 1))
	closeStore(t, s)

	// After a restart the grace period begins anew for what was not opened.
	clock = clock.Add(time.Hour)
	s = open(t, cfg)
	g, err := s.Group(accounts, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	expire(clock)
	openPartition(t, g, 1)
	wantBatches(t, g, 1, 1, 2)
	expire(clock.Add(time.Second))
	for p := range int32(4) {
		openPartition(t, g, p)
	}
	for p, n := range []int{0, 1, 0, 0} {
		wantBatches(t, g, int32(p), n, 2)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := g.Expire(ended, clock.Add(time.Hour)); !errors.Is(err, context.Canceled) {
		t.Fatalf("Expire answers %v", err)
	}
}

func TestReset(t *testing.T) {
	mem := vfs.NewMem()
	s := open(t, journal.Config{Dir: "state", FS: mem})
	g := openGroup(t, s)
	mustStore(t, g, batch(0, 1), batch(0, 2), batch(1, 1), batch(2, 1))
	g.Release(2)
	for _, p := range []int32{0, 2, 7} {
		if err := g.Reset(p, "ahead"); err != nil {
			t.Fatal(err)
		}
	}
	wantBatches(t, g, 0, 0, 2)
	wantBatches(t, g, 1, 1, 1)
	mustStore(t, g, batch(0, 1))
	wantBatches(t, g, 0, 1, 2)
	openPartition(t, g, 2)
	wantBatches(t, g, 2, 0, 1)
	closeStore(t, s)
	g = openGroup(t, open(t, journal.Config{Dir: "state", FS: mem}))
	wantBatches(t, g, 0, 1, 2)
	wantBatches(t, g, 1, 1, 1)
	wantBatches(t, g, 2, 0, 1)
}

// Everything at once: what one partition goes through never shows in another, and what a call answers is right or an error with a name.
func TestConcurrentUse(t *testing.T) {
	s := open(t, journal.Config{WriteBufferBytes: 64 << 10, DedupIDs: 50})
	g := openGroup(t, s)
	var all sync.WaitGroup
	for p := range int32(4) { // lanes: several partitions in one Store, the neighbour's in another
		all.Go(func() {
			for n := 1; n <= 150; n++ {
				if err := g.Store(t.Context(), []muster.Changes{batch(p, n), heavy(p, n)}); err != nil {
					t.Errorf("Store: %v", err)
					return
				}
				if _, ok, err := g.Answered(p, commandID(n, 1)); err != nil || !ok {
					t.Errorf("partition %d: what was just stored is not remembered: %v, %v", p, ok, err)
					return
				}
			}
		})
	}
	all.Go(func() { // a partition that comes and goes while it is read and written
		for n := range 60 {
			g.Release(5)
			if _, err := g.Open(5); err != nil {
				t.Errorf("Open: %v", err)
			}
			if n%5 == 4 {
				if err := g.Reset(5, "test"); err != nil {
					t.Errorf("Reset: %v", err)
				}
			}
			if err := g.Expire(t.Context(), time.Now().Add(time.Hour)); err != nil {
				t.Errorf("Expire: %v", err)
			}
		}
	})
	for range 2 {
		all.Go(func() {
			for n := 1; n <= 300; n++ {
				err := g.Store(t.Context(), []muster.Changes{{Partition: 5, Next: int64(n), Answers: []muster.Remembered{{CommandID: commandID(n, 0)}}}})
				if err != nil && !errors.Is(err, muster.ErrNotHeld) && !errors.Is(err, journal.ErrOrder) {
					t.Errorf("Store: %v", err)
				}
				if _, _, err = g.Answered(5, commandID(n, 0)); err != nil && !errors.Is(err, muster.ErrNotHeld) {
					t.Errorf("Answered: %v", err)
				}
				if _, err = g.Load(5, "acc-0"); err != nil && !errors.Is(err, muster.ErrNotHeld) {
					t.Errorf("Load: %v", err)
				}
				g.Checkpoint(5)
			}
		})
	}
	all.Wait()
	for p := range int32(4) {
		at, _ := g.Checkpoint(p)
		if at.Next != 450 || at.Answers > 50 {
			t.Errorf("partition %d: %+v", p, at)
		}
	}
}

func TestCloseBesideCalls(t *testing.T) {
	s := open(t, journal.Config{})
	g := openGroup(t, s)
	var all sync.WaitGroup
	began := make(chan struct{}, 3)
	for p := range int32(3) {
		all.Go(func() {
			for n := 1; ; n++ {
				err := g.Store(t.Context(), []muster.Changes{batch(p, n)})
				if err == nil {
					_, err = g.Load(p, "acc-0")
				}
				if errors.Is(err, journal.ErrClosed) {
					return
				}
				if err != nil {
					t.Errorf("beside Close: %v", err)
					return
				}
				if n == 20 {
					began <- struct{}{}
				}
			}
		})
	}
	for range 3 {
		<-began
	}
	closeStore(t, s)
	all.Wait()
}
