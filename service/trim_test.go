package service_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/service"
)

// What is old and covered by snapshots is removed, once; what is within the window, and the last event of each account, stays; nobody notices.
func TestTrim(t *testing.T) {
	st, _, s := trimmable(t)
	done, err := s.Trim(st.within(), st.group, old())
	if err != nil || done.Events != 50 || !slices.Equal(done.Partitions, []int32{0}) {
		t.Fatalf("%+v, %v; want the 50 deposits from before", done, err)
	}
	gone, mark := st.removed()
	if len(gone) != 50 || mark == nil || mark.Before > mark.Pass {
		t.Errorf("%d tombstones, mark %+v", len(gone), mark)
	}
	for key := range gone {
		if key.Revision > 10 {
			t.Errorf("%v was removed; the ten of each account from before are 1 to 10", key)
		}
	}
	if n := st.counter("muster_trimmed_events_total", nil); n != 50 {
		t.Errorf("muster_trimmed_events_total is %v", n)
	}
	if again, err := s.Trim(st.within(), st.group, old()); err != nil || again.Events != 0 {
		t.Errorf("the second time: %+v, %v", again, err)
	}
	st.deposits("late", 10, 5, 4, s) // repeats
	st.deposits("after", 20, 5, 4, s)
	st.complete(s)
	if n := st.counter("muster_suspensions_total", nil); n != 0 {
		t.Errorf("%v suspensions; the owner took its own trimming for another's", n)
	}
}

// The last event stays whatever olderThan says, and so does all that is remembered.
func TestTrimKeepsTheWindow(t *testing.T) {
	st, _, s := trimmable(t)
	done, err := s.Trim(st.within(), st.group, service.TrimOptions{OlderThan: time.Now().Add(24 * time.Hour)})
	if err != nil || done.Events != 50 {
		t.Errorf("%+v, %v; the late ones are within the window", done, err)
	}
	s.end()
	other := newStage(t, kafkatest.Brokers(t), 1)
	cfg := other.config()
	cfg.DedupWindow = time.Minute
	s = start(t, cfg, other.owner(nil))
	other.deposits("old", 5, 5, 1, s) // one event each
	s.end()
	s = startAhead(t, cfg, other.owner(nil))
	if err := other.teller(s, "acc-9", "new"); err != nil {
		t.Fatal(err)
	}
	if done, err := s.Trim(other.within(), other.group, old()); err != nil || done.Events != 0 {
		t.Errorf("%+v, %v; each account has one event", done, err)
	}
	other.complete(s)
}

// Commands go on while their partition is trimmed in small pieces: each takes effect once.
func TestTrimUnderLoad(t *testing.T) {
	st, cfg, s := trimmable(t)
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		st.deposits("during", 200, 5, 8, s)
	}()
	done, err := s.Trim(st.within(), st.group, old())
	<-loaded
	if err != nil || done.Events != 50 {
		t.Errorf("%+v, %v", done, err)
	}
	st.complete(s)
	if n := st.counter("muster_suspensions_total", nil); n != 0 {
		t.Errorf("%v suspensions", n)
	}
	s.end()
	lose(st, cfg)
	st.complete(start(t, cfg, st.owner(nil)))
}

// A command that is in hand when its partition is to be trimmed is finished first.
func TestTrimWaitsForWhatIsInHand(t *testing.T) {
	st, cfg, s := trimmable(t)
	s.end()
	var base, finished atomic.Bool
	inHand, held, early := make(chan struct{}), make(chan struct{}), make(chan struct{}) // early: tombstones before the command was finished
	cfg.Failpoint = func(name string) {
		switch {
		case name == "trim-base":
			base.Store(true)
			<-inHand
		case name == "decided" && base.Load() && !finished.Load():
			close(inHand)
			<-held
		case name == "answered":
			finished.Store(base.Load())
		case name == producer.PointKeptProduced && base.Load() && !finished.Load():
			close(early)
		}
	}
	s = startPieces(t, cfg, 1000, st.owner(nil))
	trimmed := make(chan error, 1)
	go func() {
		done, err := s.Trim(st.within(), st.group, old())
		if err == nil && done.Events != 50 {
			err = fmt.Errorf("%+v", done)
		}
		trimmed <- err
	}()
	st.until("the base is written", base.Load)
	asked := make(chan struct{})
	go func() {
		defer close(asked)
		st.deposits("in hand", 1, 1, 1, s)
	}()
	st.until("the partition is on hold", func() bool { return s.Status()[0].Reason == "trimming" })
	select {
	case <-early:
		t.Error("tombstones were written beside a command in hand")
	case <-time.After(200 * time.Millisecond): // long enough to write them
	}
	close(held)
	if err := <-trimmed; err != nil {
		t.Error(err)
	}
	<-asked
	st.complete(s)
	if n := st.counter("muster_suspensions_total", nil); n != 0 {
		t.Errorf("%v suspensions", n)
	}
}

// Whoever trims may die at each step: no tombstone is ever written before its base can be read, and what is left is whole.
func TestTrimCutShort(t *testing.T) {
	for point, wanted := range map[string]int{"trim-pass": 0, "snapshotted": 0, "trim-base": 0, "trimmed": 7} {
		t.Run(point, func(t *testing.T) {
			st, _, s := trimmable(t)
			s.end()
			want := map[string]int64{"acc-0": 12, "acc-1": 12, "acc-2": 12, "acc-3": 12, "acc-4": 12}
			ctx, cancel := context.WithCancel(st.within())
			defer cancel()
			var wrong error // the goroutine that trims writes, and has ended its work when Trim returns
			var trimming, first atomic.Bool
			cfg := st.config()
			cfg.DedupWindow = time.Minute
			cfg.Failpoint = func(name string) {
				if name == "trimmed" || name == "trim-base" {
					_, mark := st.removed()
					if name == "trim-base" && first.Load() && mark != nil {
						wrong = fmt.Errorf("a mark before the base: %+v", mark)
					}
					wanted := int64(1)
					if mark != nil {
						wanted = mark.Pass
					}
					if err := st.base(wanted); err != nil {
						wrong = err
					}
				}
				if trimming.Load() && name == point {
					cancel()
				}
			}
			s = startPieces(t, cfg, 7, st.owner(nil))
			trimming.Store(true)
			first.Store(true)
			done, err := s.Trim(ctx, st.group, old())
			if !errors.Is(err, context.Canceled) || done.Events != wanted || wrong != nil {
				t.Errorf("%+v, %v; %v", done, err, wrong)
			}
			if gone, _ := st.removed(); len(gone) != wanted {
				t.Errorf("%d tombstones, want %d", len(gone), wanted)
			}
			c := st.compacted("copy.") // as it would be if it had died here
			c.journalTo(-1, false)
			c.snapshots(nil)
			copies := c.config(t.TempDir())
			copies.Metrics = nil // those of the stage are in use
			heir := start(t, copies, st.owner(nil))
			if got := st.balances(heir); !maps.Equal(got, want) {
				t.Errorf("the heir has %v", got)
			}
			heir.end()
			first.Store(false)
			done, err = s.Trim(st.within(), st.group, old())
			if err != nil || done.Events != 50-wanted || wrong != nil {
				t.Errorf("called again: %+v, %v; %v", done, err, wrong)
			}
		})
	}
}

// When the broker has compacted what was trimmed, an owner without state starts from the snapshots, and goes on.
func TestTrimmedColdStart(t *testing.T) {
	st, _, s := trimmable(t)
	if _, err := s.Trim(st.within(), st.group, old()); err != nil {
		t.Fatal(err)
	}
	st.deposits("after", 20, 5, 4, s)
	want := st.balances(s)
	s.end()
	c := st.compacted("copy.")
	c.journalTo(-1, false)
	c.snapshots(nil)
	heir := start(t, c.config(t.TempDir()), st.owner(nil))
	if got := st.balances(heir); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if err := st.teller(heir, "acc-0", "more"); err != nil {
		t.Error(err)
	}
	if n := st.counter("muster_rebuilds_total", nil); n != 0 {
		t.Errorf("%v rebuilds", n)
	}
}

// A store that was away while the journal was trimmed starts anew from the snapshots.
func TestTrimmedWarmStart(t *testing.T) {
	st, _, s := trimmable(t)
	if _, err := s.Trim(st.within(), st.group, old()); err != nil {
		t.Fatal(err)
	}
	want := st.balances(s)
	s.end()
	for _, based := range []bool{true, false} {
		t.Run(fmt.Sprint("based ", based), func(t *testing.T) {
			c := st.compacted(fmt.Sprintf("warm-%v.", based))
			cfg := c.config(t.TempDir())
			cfg.Recovery.SnapshotEvery = -1
			c.journalTo(20, true)
			warm := start(t, cfg, st.owner(nil))
			warm.end()
			c.journalTo(-1, false)
			rebuilds := map[string]string{"reason": "trimmed"}
			before := st.counter("muster_rebuilds_total", rebuilds)
			if !based {
				warm = openUnready(t, cfg, st.owner(nil))
				st.until("the partition stops", func() bool { return isStopped(warm, "trimmed-without-base") })
				return
			}
			c.snapshots(nil)
			warm = start(t, cfg, st.owner(nil))
			if got := st.balances(warm); !maps.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
			if n := st.counter("muster_rebuilds_total", rebuilds) - before; n != 1 {
				t.Errorf("%v rebuilds for this reason", n)
			}
		})
	}
}

// Without the snapshots, or with spoilt ones, a trimmed partition stops and says what is missing. It never serves a state that lacks something.
func TestTrimmedWithoutBase(t *testing.T) {
	st, _, s := trimmable(t)
	if _, err := s.Trim(st.within(), st.group, old()); err != nil {
		t.Fatal(err)
	}
	s.end()
	for name, spoil := range map[string]func(c *copied){
		"destroyed":  func(*copied) {},
		"incomplete": func(c *copied) { c.snapshots(func(s *muster.StoredState) bool { return s.AggregateID != "acc-3" }) },
	} {
		t.Run(name, func(t *testing.T) {
			c := st.compacted(name + ".")
			var lines logLines
			cfg := c.config(t.TempDir())
			cfg.Logger = lines.logger()
			c.journalTo(-1, false)
			spoil(c)
			cold := openUnready(t, cfg, st.owner(nil))
			st.until("the partition stops", func() bool { return isStopped(cold, "trimmed-without-base") })
			why := cold.Healthy()
			if why == nil || !strings.Contains(why.Error(), st.group.JournalTopic(c.prefix)+"[0]@") || !strings.Contains(why.Error(), st.group.SnapshotTopic(c.prefix)) {
				t.Errorf("%v; want position and what to restore", why)
			}
			st.until("the log tells", func() bool { return strings.Contains(lines.String(), "trimmed-without-base") }) // a moment after the status
			if text := lines.String(); strings.Contains(text, "acc-") {
				t.Errorf("the log tells too much:\n%s", text)
			}
			if _, err := st.balance.Call(t.Context(), cold.Client(), "acc-1", ask{}, muster.Timeout(100*time.Millisecond)); err == nil {
				t.Error("a query got an answer")
			}
		})
	}
}

// Where the base is complete, a gap is not blamed on trimming.
func TestTrimmedAndForeignGap(t *testing.T) {
	st, cfg, s := trimmable(t)
	if _, err := s.Trim(st.within(), st.group, old()); err != nil {
		t.Fatal(err)
	}
	s.end()
	st.write(st.event("acc-1", "stranger", 40, "1"))
	for _, warm := range []bool{true, false} {
		if !warm {
			lose(st, cfg)
		}
		s := openUnready(t, cfg, st.owner(nil))
		st.until("the partition stops", func() bool { return isStopped(s, "fold") })
		s.end()
	}
}

func TestTrimRefused(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	cfg.Recovery.SnapshotEvery = -1
	s := start(t, cfg, st.owner(nil))
	if _, err := s.Trim(t.Context(), st.group, old()); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "SnapshotEvery") {
		t.Errorf("without snapshots: %v", err)
	}
	if _, err := s.Trim(t.Context(), muster.NewGroup("others"), old()); !errors.Is(err, muster.ErrNotHeld) {
		t.Errorf("another's group: %v", err)
	}
	s.end()
	cfg.Recovery.SnapshotEvery = 0
	s = start(t, cfg, st.owner(nil))
	if _, err := s.Trim(t.Context(), st.group, service.TrimOptions{}); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("without a time: %v", err)
	}
	s.end()
	latest := newBank(t, muster.Partitions(1), muster.Journal(muster.KeepLatest))
	s = start(t, st.config(), latest.owner(nil))
	if _, err := s.Trim(t.Context(), latest.group, old()); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "compaction") {
		t.Errorf("KeepLatest: %v", err)
	}
}
