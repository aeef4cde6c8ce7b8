//go:build unix

package service_test

import (
	"fmt"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// A real broker compacts a journal that was trimmed, down to the tombstones themselves. What is left gives the same states to an owner that lost its
// disk and to one whose disk was away, and readers get what is left without a gap. When the base goes, too, the partition stops.
func TestRealCompaction(t *testing.T) {
	cluster := kafkatest.RealWith(t, kafkatest.Config{Properties: map[string]string{"log.cleaner.backoff.ms": "100"}})
	st := newStage(t, cluster.Addresses(), 1)
	cfg := st.config()
	cfg.DedupWindow = time.Minute
	s := start(t, cfg, st.owner(nil))
	st.deposits("before", 20, 5, 4, s)
	s.end()
	away := st.config()
	away.DedupWindow, away.Recovery.SnapshotEvery = time.Minute, -1
	if err := os.CopyFS(away.DataDir, os.DirFS(cfg.DataDir)); err != nil {
		t.Fatal(err)
	}
	s = start(t, cfg, st.owner(nil))
	st.deposits("then", 30, 5, 4, s)
	s.end()
	st.eager()
	s = startPieces(t, cfg, 7, st.owner(nil))
	st.deposits("late", 10, 5, 4, s)
	if done, err := s.Trim(st.within(), st.group, old()); err != nil || done.Events != 50 {
		t.Fatalf("%+v, %v", done, err)
	}
	after := st.compactedAway(s)
	want := st.balances(s)
	s.end()

	lose(st, cfg)
	s = start(t, cfg, st.owner(nil))
	if got := st.balances(s); !maps.Equal(got, want) {
		t.Errorf("after a lost disk: %v, want %v", got, want)
	}
	if n := st.counter("muster_snapshots_ignored_total", nil); n != 0 {
		t.Errorf("snapshots were ignored %v times", n)
	}
	st.readsWhatIsLeft(s, 10+after)
	s.end()

	s = start(t, away, st.owner(nil))
	if got := st.balances(s); !maps.Equal(got, want) {
		t.Errorf("of a disk that was away: %v, want %v", got, want)
	}
	if n := st.counter("muster_rebuilds_total", map[string]string{"reason": "trimmed"}); n != 1 {
		t.Errorf("%v rebuilds of a store that was behind", n)
	}
	s.end()

	until(t, "the snapshots are compacted away", 2*time.Minute, func() bool {
		records, _ := st.committed(st.group.SnapshotTopic(""))
		left, keys := 0, map[string]bool{}
		for _, r := range records {
			if r.Value != nil {
				left++
			}
			keys[string(r.Key)] = true
		}
		for key := range keys {
			st.writeSnapshot(&kgo.Record{Key: []byte(key)})
		}
		return left == 0
	})
	lose(st, cfg)
	s = openUnready(t, cfg, st.owner(nil))
	st.until("the partition stops", func() bool { return isStopped(s, "trimmed-without-base") })
}

// eager has the broker compact the group's topics as soon and as far as it can.
func (st *stage) eager() {
	st.t.Helper()
	var set []kadm.AlterConfig
	for name, value := range map[string]string{"segment.ms": "50", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "100"} {
		set = append(set, kadm.AlterConfig{Name: name, Value: &value})
	}
	answers, err := kadm.NewClient(st.raw).AlterTopicConfigs(st.t.Context(), set, st.group.JournalTopic(""), st.group.SnapshotTopic(""))
	for _, answer := range answers {
		if err == nil {
			err = answer.Err
		}
	}
	if err != nil {
		st.t.Fatal(err)
	}
}

// compactedAway deposits until neither what was trimmed nor a tombstone is in the journal any more, and gives how many deposits that took. Each of
// them may begin a segment; the last one is not compacted.
func (st *stage) compactedAway(s *running) (deposits int) {
	st.t.Helper()
	until(st.t, "the journal is compacted", 2*time.Minute, func() bool {
		if err := st.teller(s, fmt.Sprintf("acc-%d", deposits%5), fmt.Sprintf("after-%d", deposits)); err != nil {
			st.t.Fatal(err)
		}
		deposits++
		records, _ := st.committed(st.group.JournalTopic(""))
		for _, r := range records {
			_, removes := kafka.DecodeTombstone(r)
			if e, err := kafka.DecodeEvent(r, st.group); removes || err == nil && strings.HasPrefix(e.ID, "before-") || err == nil && strings.HasPrefix(e.ID, "then-") {
				return false
			}
		}
		return true
	})
	return deposits
}

// readsWhatIsLeft fails unless a subscription from the earliest event on, and the history of each account, give so many events together, the newest ones
// of each account without a gap, none of which was trimmed.
func (st *stage) readsWhatIsLeft(s *running, n int) {
	st.t.Helper()
	seen := &seen{}
	sub := muster.NewBroadcast(st.group, "left", muster.FromEarliest(), muster.UntilEnd(), muster.On(st.credited, seen.take))
	if err := st.subscribe(s, sub).wait(); err != nil {
		st.t.Error(err)
	}
	left := 0
	for i := range 5 {
		id := fmt.Sprintf("acc-%d", i)
		var history []uint64
		for e, err := range s.History(st.within(), st.group, id) {
			if err != nil {
				st.t.Fatal(err)
			}
			history = append(history, e.Revision)
		}
		read := seen.revisions(id)
		left += len(read)
		if len(read) != len(history) {
			st.t.Errorf("%s: subscription %v, history %v", id, read, history)
		}
		for n, revision := range read {
			if revision != uint64(11+n) || history[n] != revision {
				st.t.Errorf("%s: subscription %v, history %v; want 11, 12 and so on", id, read, history)
				break
			}
		}
	}
	if left != n {
		st.t.Errorf("%d events are left, want %d", left, n)
	}
}
