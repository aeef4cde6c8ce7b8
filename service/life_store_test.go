package service_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// worked gives a data directory that an owner has left behind after some deposits.
func worked(st *stage) service.Config {
	st.t.Helper()
	cfg := st.config()
	s := start(st.t, cfg, st.owner(nil))
	st.deposits("before", 40, 5, 4, s)
	s.end()
	return cfg
}

// resumed starts on the directory again and proves that nothing is lost, doubled or forgotten.
func resumed(st *stage, cfg service.Config, parts ...service.Part) *running {
	st.t.Helper()
	if len(parts) == 0 {
		parts = []service.Part{st.owner(nil)}
	}
	s := start(st.t, cfg, parts...)
	st.deposits("before", 40, 5, 4, s) // repeats: the answers must be the same
	st.deposits("after", 10, 5, 4, s)
	st.complete(s)
	return s
}

func TestLifeStoreDeleted(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := worked(st)
	if err := os.RemoveAll(cfg.DataDir); err != nil {
		t.Fatal(err)
	}
	resumed(st, cfg)
	if n := st.counter("muster_replayed_events_total", nil); n != 40 {
		t.Errorf("muster_replayed_events_total is %v; want all 40", n)
	}
}

func TestLifeStoreKept(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	resumed(st, worked(st))
	if n := st.counter("muster_replayed_events_total", nil); n != 0 {
		t.Errorf("muster_replayed_events_total is %v after a clean stop; want 0", n)
	}
}

// Every table of the store has bytes turned over: it is moved aside or wiped, loudly, and built anew.
func TestLifeStoreCorrupt(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := worked(st)
	s := start(t, cfg, st.owner(nil)) // what was in the log of the store is written out as a table at the second start
	st.deposits("more", 10, 5, 4, s)
	s.end()
	spoilt := 0
	err := filepath.WalkDir(filepath.Join(cfg.DataDir, "state"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".sst") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i := 10; i < len(b); i += 7 {
			b[i] ^= 0xff
		}
		spoilt++
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil || spoilt == 0 {
		t.Fatalf("%d files spoilt, %v", spoilt, err)
	}
	var lines logLines
	cfg.Logger = lines.logger()
	resumed(st, cfg)
	if text := lines.String(); !strings.Contains(text, "level=ERROR") || !strings.Contains(text, "built anew") {
		t.Errorf("the log does not say that the store was given up:\n%s", text)
	}
	if n := st.counter("muster_rebuilds_total", map[string]string{"reason": journal.ReasonCorrupt}); n == 0 {
		t.Errorf("muster_rebuilds_total of reason %s is 0", journal.ReasonCorrupt)
	}
}

// A store that a newer build has written is not touched: it is moved aside.
func TestLifeStoreOfANewerFormat(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	cfg := worked(st)
	dir := filepath.Join(cfg.DataDir, "state")
	db, err := pebble.Open(dir, &pebble.Options{FormatMajorVersion: pebble.FormatNewest, Logger: quiet{}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := db.NewIter(nil)
	if err != nil {
		t.Fatal(err)
	}
	rows.First() // the store's own format row has the lowest key
	key, value := append([]byte{}, rows.Key()...), append([]byte{}, rows.Value()...)
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	value[len(value)-1] += 100
	if err := db.Set(key, value, pebble.Sync); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	var lines logLines
	cfg.Logger = lines.logger()
	resumed(st, cfg)
	if text := lines.String(); !strings.Contains(text, journal.ReasonNewerFormat) {
		t.Errorf("the log does not name the reason %s:\n%s", journal.ReasonNewerFormat, text)
	}
	if aside, err := filepath.Glob(dir + ".corrupt-*"); err != nil || len(aside) != 1 {
		t.Errorf("moved aside: %v, %v; want one directory", aside, err)
	}
	if n := st.counter("muster_rebuilds_total", map[string]string{"reason": journal.ReasonNewerFormat}); n == 0 {
		t.Errorf("muster_rebuilds_total of reason %s is 0", journal.ReasonNewerFormat)
	}
}

type quiet struct{}

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
func (quiet) Fatalf(string, ...any) {}

// An older journal was restored: the store has folded what is no longer there, or something else than is there now.
func TestLifeStoreAheadOfTheJournal(t *testing.T) {
	for name, c := range map[string]struct {
		next   int64 // of the checkpoint
		at     int64 // of the last event
		reason string
	}{
		"ahead":    {1000, 999, "ahead"},
		"diverged": {2, 0, "diverged"},
	} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 1)
			cfg := worked(st)
			if err := os.RemoveAll(filepath.Join(cfg.DataDir, "state")); err != nil {
				t.Fatal(err)
			}
			// what an owner of the longer journal would have left behind
			foreignStore(st, cfg.DataDir, muster.Changes{
				Next: c.next, LastEvent: "lost/0", LastAt: c.at, Time: time.Now(),
				States: []muster.StoredState{{AggregateID: "acc-1", Revision: 77, Offset: c.at, Data: []byte(`{"Balance":777}`)}},
			})
			s := resumed(st, cfg)
			if n := st.counter("muster_rebuilds_total", map[string]string{"group": st.group.Name(), "reason": c.reason}); n != 1 {
				t.Errorf("muster_rebuilds_total of reason %s is %v; want 1", c.reason, n)
			}
			if peeked, err := st.owner(nil).Peek(s, "acc-1"); err != nil || peeked.Revision == 77 || peeked.State.Balance == 777 {
				t.Errorf("peek: %+v, %v; want nothing of the lost history", peeked, err)
			}
		})
	}
}

// foreignStore writes a store under dir.
func foreignStore(st *stage, dir string, changes muster.Changes) {
	st.t.Helper()
	ctx := st.within()
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: st.brokers})
	if err != nil {
		st.t.Fatal(err)
	}
	defer admin.Close()
	ids, err := admin.EnsureGroup(ctx, st.group, false)
	if err != nil {
		st.t.Fatal(err)
	}
	store, err := journal.Open(journal.Config{Dir: filepath.Join(dir, "state")})
	if err != nil {
		st.t.Fatal(err)
	}
	states, err := store.Group(st.group, "", ids)
	if err == nil {
		_, err = states.Open(changes.Partition)
	}
	if err == nil {
		err = states.Store(ctx, []muster.Changes{changes})
	}
	if err = errors.Join(err, store.Close()); err != nil {
		st.t.Fatal(err)
	}
}

// A stored state that cannot be decoded is read again from the journal, while the partition's commands wait.
func TestLifeStoreWithAnUnreadableState(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := worked(st)
	j := st.journal()
	last := j.Events[0][j.Len()-1]
	if err := os.RemoveAll(filepath.Join(cfg.DataDir, "state")); err != nil {
		t.Fatal(err)
	}
	foreignStore(st, cfg.DataDir, muster.Changes{
		Next: last.Offset + 1, LastEvent: last.ID, LastAt: last.Offset, Time: time.Now(),
		States: []muster.StoredState{{AggregateID: "acc-1", Revision: 8, Offset: last.Offset, Data: []byte(`{"Balance":`)}},
	})
	s := start(t, cfg, st.owner(nil))
	got, err := st.balance.Call(st.within(), s.Client(), "acc-1", ask{})
	if err != nil || got.Balance != 8 {
		t.Errorf("balance %+v, %v; want the 8 of the journal", got, err)
	}
	if n := st.counter("muster_suspensions_total", map[string]string{"reason": "state"}); n != 1 {
		t.Errorf("muster_suspensions_total of reason state is %v; want 1", n)
	}
	st.deposits("before", 40, 5, 4, s)
	st.complete(s)
}

// WarmTime is how long the rows of a partition stay after it went to another instance.
func TestLifeStoreOfRevokedPartitionsExpires(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 4)
	cfg := st.config()
	var lines logLines
	cfg.WarmTime, cfg.Logger = 50*time.Millisecond, lines.logger()
	s := start(t, cfg, st.owner(nil))
	st.deposits("load", 40, 20, 4, s)
	other := st.config()
	other.Metrics = nil
	heir := start(t, other, st.owner(nil))
	st.until("two partitions went to the other one", func() bool {
		released := 0
		for _, p := range s.Status() {
			if p.State == service.Released {
				released++
			}
		}
		return released >= 1 && heir.Ready() == nil && s.Ready() == nil
	})
	st.until("their rows are dropped after 50ms", func() bool { return strings.Contains(lines.String(), "reason="+journal.ReasonExpired) })
	st.complete(heir)
}
