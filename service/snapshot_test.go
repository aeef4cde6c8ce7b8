package service_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// snapshotted works with snapshots, stops in order, loses the disk, and gives the configuration to go on with. Of its 60 commands 50 lie
// behind the window.
func snapshotted(st *stage, every int) service.Config {
	st.t.Helper()
	cfg := st.config()
	cfg.Recovery.SnapshotEvery = every
	cfg.DedupWindow = time.Minute
	s := start(st.t, cfg, st.owner(nil))
	st.deposits("before", 50, 5, 4, s)
	s.end()
	s = startAhead(st.t, cfg, st.owner(nil))
	st.deposits("late", 10, 5, 4, s)
	s.end()
	lose(st, cfg)
	return cfg
}

// startAhead starts a service whose clock is an hour ahead.
func startAhead(t *testing.T, cfg service.Config, parts ...service.Part) *running {
	t.Helper()
	s, err := service.Open(t.Context(), cfg, parts...)
	if err != nil {
		t.Fatal(err)
	}
	s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	return launchOpened(t, s)
}

// lose removes the local state; the identity stays.
func lose(st *stage, cfg service.Config) {
	st.t.Helper()
	if err := os.RemoveAll(cfg.DataDir + "/state"); err != nil {
		st.t.Fatal(err)
	}
}

// A disk that is lost comes back from the snapshots: less of the journal is read than there is, and the state is that of all of it.
func TestSnapshotsSaveTheReading(t *testing.T) {
	st := newStage(t, anyBrokers(t), 2)
	cfg := snapshotted(st, 0)
	st.decodedSnapshots()
	s := start(t, cfg, st.owner(nil))
	if read := st.counter("muster_replayed_events_total", nil); read > 20 {
		t.Errorf("%v events were read, of 60 there are; the snapshots were not used", read)
	}
	if n := st.counter("muster_snapshots_ignored_total", nil); n != 0 {
		t.Errorf("snapshots were ignored %v times", n)
	}
	st.deposits("after", 20, 5, 4, s)
	st.complete(s)
	s.end()

	// The second stop covers what changed since the first; both together are read the next time.
	lose(st, cfg)
	s = start(t, cfg, st.owner(nil))
	if again := st.counter("muster_replayed_events_total", nil); again > 40 {
		t.Errorf("%v events were read the second time", again)
	}
	st.complete(s)
}

// Inside the window a repeated command gets its answer from before the disk was lost, although the state came from a snapshot.
func TestSnapshotsKeepTheAnswers(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := st.config()
	s := start(t, cfg, st.owner(nil))
	st.deposits("before", 40, 5, 4, s)
	s.end()
	lose(st, cfg)
	s = start(t, cfg, st.owner(nil))
	st.deposits("before", 40, 5, 4, s) // repeats: complete compares the answers, and counts
	st.deposits("after", 10, 5, 4, s)
	st.complete(s)
	if n := st.counter("muster_snapshots_ignored_total", nil); n != 0 {
		t.Errorf("snapshots were ignored %v times", n)
	}
}

// While commands flow, snapshots are written each time enough has come.
func TestSnapshotsInTheBackground(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	cfg.Recovery.SnapshotEvery = 20
	s := start(t, cfg, st.owner(nil))
	st.deposits("one", 60, 5, 4, s)
	complete := map[string]string{"result": "complete"}
	st.until("a pass", func() bool { return st.counter("muster_snapshot_seconds", complete) >= 1 })
	before := st.counter("muster_snapshot_seconds", complete)
	st.deposits("two", 60, 5, 4, s)
	st.until("another pass", func() bool { return st.counter("muster_snapshot_seconds", complete) > before })
	st.complete(s)
}

func TestNoSnapshotsWhereNoneAreWanted(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := snapshotted(st, -1)
	if n := st.snapshots(); len(n) != 0 {
		t.Errorf("%d records in the snapshots topic", len(n))
	}
	s := start(t, cfg, st.owner(nil))
	if n := st.counter("muster_replayed_events_total", nil); n != 60 {
		t.Errorf("%v events read, want all", n)
	}
	st.complete(s)
}

// snapshots reads the records of the snapshots topic.
func (st *stage) snapshots() []*kgo.Record {
	st.t.Helper()
	topic := st.group.SnapshotTopic("")
	ends, err := kadm.NewClient(st.raw).ListCommittedOffsets(st.t.Context(), topic)
	if err != nil {
		st.t.Fatal(err)
	}
	from, left := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			from[o.Partition], left[o.Partition] = kgo.NewOffset().At(0), o.Offset
		}
	})
	var all []*kgo.Record
	if len(from) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(st.brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		st.t.Fatal(err)
	}
	defer client.Close()
	for ctx := st.within(); len(left) > 0; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			st.t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return all
}

// writeSnapshot puts a record into the snapshots topic, past the owner.
func (st *stage) writeSnapshot(r *kgo.Record) {
	st.t.Helper()
	r.Topic = st.group.SnapshotTopic("")
	if err := st.raw.ProduceSync(st.within(), r).FirstErr(); err != nil {
		st.t.Fatal(err)
	}
}

// Snapshots that cannot be right are ignored, loudly, and the journal gives the state.
func TestSpoiltSnapshotsAreIgnored(t *testing.T) {
	for reason, spoil := range map[string]func(st *stage, pass *muster.SnapshotPass, states map[string]muster.StoredState){
		"unreadable": func(st *stage, _ *muster.SnapshotPass, states map[string]muster.StoredState) {
			s := states["acc-1"]
			r := kafka.EncodeSnapshot(st.group, 0, &s, "")
			r.Value[0] ^= 1
			st.writeSnapshot(r)
		},
		"undecodable": func(st *stage, _ *muster.SnapshotPass, states map[string]muster.StoredState) {
			s := states["acc-1"]
			s.Data = []byte("not JSON")
			st.writeSnapshot(kafka.EncodeSnapshot(st.group, 0, &s, ""))
		},
		"ahead": func(st *stage, _ *muster.SnapshotPass, states map[string]muster.StoredState) {
			s := states["acc-1"]
			s.Offset, s.Revision, s.Data = s.Offset+1000, s.Revision+9, []byte(`{"Balance":1000000}`)
			st.writeSnapshot(kafka.EncodeSnapshot(st.group, 0, &s, ""))
		},
		"incomplete": func(st *stage, pass *muster.SnapshotPass, _ map[string]muster.StoredState) {
			pass.States++
			st.writePass(pass)
		},
		"diverged": func(st *stage, pass *muster.SnapshotPass, _ map[string]muster.StoredState) {
			pass.LastEvent = "somebody/else's"
			st.writePass(pass)
		},
		"foreign": func(st *stage, pass *muster.SnapshotPass, _ map[string]muster.StoredState) {
			pass.TopicID[3] ^= 1
			st.writePass(pass)
		},
	} {
		t.Run(reason, func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 1)
			cfg := snapshotted(st, 0)
			pass, states := st.decodedSnapshots()
			spoil(st, pass, states)
			var lines logLines
			cfg.Logger = lines.logger()
			s := start(t, cfg, st.owner(nil))
			if n := st.counter("muster_snapshots_ignored_total", map[string]string{"reason": reason}); n != 1 {
				t.Errorf("ignored %v times for reason %s", n, reason)
			}
			if text := lines.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "reason="+reason) || strings.Contains(text, "1000000") {
				t.Errorf("the log does not say why, or says too much:\n%s", text)
			}
			if n := st.counter("muster_replayed_events_total", nil); n != 60 {
				t.Errorf("%v events read, want all 60", n)
			}
			st.complete(s)
			s.end()

			// The next stop writes all of them anew, and what was wrong is behind it.
			lose(st, cfg)
			s = start(t, cfg, st.owner(nil))
			if n := st.counter("muster_snapshots_ignored_total", nil); n != 0 {
				t.Errorf("ignored %v times after all were written anew", n)
			}
			st.complete(s)
		})
	}
}

func (st *stage) decodedSnapshots() (*muster.SnapshotPass, map[string]muster.StoredState) {
	st.t.Helper()
	var last *muster.SnapshotPass
	states := map[string]muster.StoredState{}
	for _, r := range st.snapshots() {
		s, pass, err := kafka.DecodeSnapshot(r, st.group)
		if err != nil {
			st.t.Fatal(err)
		}
		if pass != nil {
			last = pass
			continue
		}
		states[s.AggregateID] = s
	}
	if last == nil || len(states) != 5 {
		st.t.Fatalf("pass %+v, %d states", last, len(states))
	}
	return last, states
}

func (st *stage) writePass(pass *muster.SnapshotPass) {
	st.t.Helper()
	r, err := kafka.EncodeSnapshotPass(st.group, pass, "")
	if err != nil {
		st.t.Fatal(err)
	}
	st.writeSnapshot(r)
}

// A snapshot that is behind, because it was written by an earlier pass, is made up for by the journal.
func TestSnapshotBehind(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := snapshotted(st, 0)
	quiet := cfg
	quiet.Recovery.SnapshotEvery = -1
	s := start(t, quiet, st.owner(nil))
	st.deposits("since", 30, 7, 4, s)
	s.end()
	lose(st, cfg)
	s = start(t, cfg, st.owner(nil))
	if n := st.counter("muster_replayed_events_total", nil); n < 30 || n > 50 {
		t.Errorf("%v events read, want the 30 since and few more", n)
	}
	st.complete(s)
}

// What a reader finds in the topic: all states, and the pass behind them.
func TestReadSnapshots(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	snapshotted(st, 0)
	from := consumer.JournalConfig{Kafka: kafka.Config{Brokers: st.brokers}, Group: st.group}
	ids := map[string]bool{}
	found, err := consumer.ReadSnapshots(st.within(), from, 0, func(s muster.StoredState) error { ids[s.AggregateID] = true; return nil })
	if err != nil || found.Pass == nil || len(ids) != 5 || found.Records < 5 || len(found.Faults) != 0 {
		t.Fatalf("%+v, %v, %v", found, ids, err)
	}
	if found.Pass.States != 5 || found.Pass.LastAt >= found.Pass.Journal || found.Pass.TopicID == [16]byte{} {
		t.Errorf("pass %+v", found.Pass)
	}
	if n, err := consumer.SnapshotRecords(st.within(), from, 0); err != nil || n < 6 {
		t.Errorf("%d records, %v", n, err)
	}
	stop := fmt.Errorf("stop: %w", context.Canceled)
	if _, err := consumer.ReadSnapshots(st.within(), from, 0, func(muster.StoredState) error { return stop }); err != stop { //nolint:errorlint // the very one
		t.Errorf("got %v", err)
	}
}
