package service_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	_ "modernc.org/sqlite" // the driver

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
	"github.com/seed-3eec0498/muster/service"
)

// vault is the way of one process to key store and KMS, and its clock. While it is cut nothing comes through, and what was watched ends.
type vault struct {
	crypto.KeyStore
	kms crypto.KMS

	mu    sync.Mutex    // guards what follows
	off   chan struct{} // closed when the way is cut
	cut   bool
	later time.Duration // the clock is ahead
}

var errVault = errors.New("dial tcp 10.0.0.7:8200: connection refused")

func newVault(keys crypto.KeyStore, kms crypto.KMS) *vault {
	return &vault{KeyStore: keys, kms: kms, off: make(chan struct{})}
}

func (v *vault) set(cut bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cut = cut; cut {
		close(v.off)
	} else {
		v.off = make(chan struct{})
	}
}

func (v *vault) passes(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.later += d
}

func (v *vault) now() time.Time {
	v.mu.Lock()
	defer v.mu.Unlock()
	return time.Now().Add(v.later)
}

func (v *vault) way() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cut {
		return errVault
	}
	return nil
}

func (v *vault) Active(ctx context.Context, s crypto.SubjectRef) (crypto.Entry, error) {
	if err := v.way(); err != nil {
		return crypto.Entry{}, err
	}
	return v.KeyStore.Active(ctx, s)
}

func (v *vault) Lookup(ctx context.Context, s crypto.SubjectRef, id crypto.KeyID) (crypto.Entry, error) {
	if err := v.way(); err != nil {
		return crypto.Entry{}, err
	}
	return v.KeyStore.Lookup(ctx, s, id)
}

func (v *vault) Watch(ctx context.Context, ready func(), f func(crypto.KeyChange)) error {
	if err := v.way(); err != nil {
		return err
	}
	v.mu.Lock()
	off := v.off
	v.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-off:
			cancel()
		case <-ctx.Done():
		}
	}()
	return v.KeyStore.Watch(ctx, ready, f)
}

func (v *vault) Wrap(ctx context.Context, generation uint32, key, aad []byte) ([]byte, error) {
	if err := v.way(); err != nil {
		return nil, err
	}
	return v.kms.Wrap(ctx, generation, key, aad)
}

func (v *vault) Unwrap(ctx context.Context, generation uint32, wrapped, aad []byte) ([]byte, error) {
	if err := v.way(); err != nil {
		return nil, err
	}
	return v.kms.Unwrap(ctx, generation, wrapped, aad)
}

func (v *vault) DestroyGeneration(ctx context.Context, generation uint32) error {
	if err := v.way(); err != nil {
		return err
	}
	return v.kms.DestroyGeneration(ctx, generation)
}

// through has a service of the house reach its keys by the vault alone. Everything else of the codec is as it is by default.
func (v *vault) through(h *erasureHouse) func(*service.Config) {
	return func(c *service.Config) {
		c.Codec, c.Erasure = nil, nil
		c.Privacy = &crypto.Config{Keys: v, KMS: v, SubjectKey: h.secret, Now: v.now}
	}
}

const people = 6

func (h *erasureHouse) everybody(s *running, call bool, name string) {
	h.t.Helper()
	for i := range people {
		in, id := &peoplepb.SignUp{Name: name, City: "Bern"}, fmt.Sprint("p-", i)
		var err error
		if call {
			_, err = h.signUp.Call(bounded(h.t), s.Client(), id, in)
		} else {
			_, err = h.signUp.Send(bounded(h.t), s.Client(), id, in)
		}
		if err != nil {
			h.t.Fatal(err)
		}
	}
}

// Key store and KMS are away for ten minutes from a service with projections to Pebble and to a database, while events come. Nothing is redacted, nothing put
// aside, no checkpoint moves and queries are UNAVAILABLE; then it goes on by itself.
func TestTenMinutesWithoutKeysForProjections(t *testing.T) {
	h, redacted := newErasureHouse(t), atomic.Int32{}
	owner := h.start(t.TempDir(), nil, h.owner())
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "people.db")+"?_pragma=busy_timeout(30000)&_pragma=journal_mode(WAL)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("create table people (id text primary key, name text)"); err != nil {
		t.Fatal(err)
	}
	see := func(m muster.Meta) {
		if m.Redaction.Access != muster.AccessOpen {
			redacted.Add(1)
		}
	}
	view := projector.NewView[*peoplepb.Person]("list")
	projector.On(view, h.signed, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		see(m)
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, City: e.City})
	})
	table := sqldb.New("people", db, sqldb.SQLite())
	projector.On(table, h.signed, func(ctx context.Context, tx *sqldb.Tx, e *peoplepb.SignedUp, m muster.Meta) error {
		see(m)
		_, err := tx.ExecContext(ctx, "insert into people values (?, ?) on conflict (id) do update set name = excluded.name", m.AggregateID, e.Name)
		return err
	})
	v := newVault(h.keys, h.kms)
	through := v.through(h)
	h.alter = func(c *service.Config) { through(c); c.Name += "-readers" }
	readers := h.start(t.TempDir(), nil, view, table)
	has := func(name string) bool {
		n := 0
		if err := db.QueryRow("select count(*) from people where name = ?", name).Scan(&n); err != nil {
			t.Fatal(err)
		}
		for i := range people {
			if row, err := view.Get(bounded(t), readers.Views(), fmt.Sprint("p-", i)); err != nil || row.Name != name {
				return false
			}
		}
		return n == people
	}
	h.everybody(owner, true, "before")
	eventually(t, "both have everybody", func() bool { return has("before") })
	written := int64(0) // where the checkpoints of both can be, of all partitions
	ends, err := owner.JournalEnd(bounded(t), h.group)
	if err != nil {
		t.Fatal(err)
	}
	for _, end := range ends {
		written += 2 * (end.Offset + 1)
	}

	v.set(true)
	eventually(t, "the service knows that it is cut off", func() bool { return readers.Ready() != nil })
	waiting := func() (next int64, all bool) {
		all = true
		for _, s := range readers.Projections() {
			for _, cp := range s.Checkpoint {
				next += cp.Next
			}
			all = all && s.State == projector.Retrying && s.Reason == projector.ReasonKeyUnavailable
			if s.Parked > 0 || len(s.Letters) > 0 || s.State == projector.Stopped {
				t.Fatalf("put aside, or stopped: %+v", s)
			}
		}
		return next, all
	}
	stood := int64(-1)
	for minute := range 10 {
		v.passes(time.Minute)
		h.everybody(owner, true, fmt.Sprint("minute ", minute))
		eventually(t, "all shards wait for keys", func() bool {
			_, all := waiting()
			return all
		})
		next, _ := waiting()
		if stood < 0 { // until they met an event without its key, checkpoints may have moved behind the marker of the last transaction
			stood = next
		}
		if next != stood || next > written { // so the lag is what was written
			t.Fatalf("checkpoints moved from %d to %d without keys; up to %d there were keys", stood, next, written)
		}
		if _, err := view.Get(bounded(t), readers.LocalQueries(), "p-0"); muster.CodeOf(err) != muster.Unavailable {
			t.Fatalf("a query without keys: %v", err)
		}
	}
	n := 0
	if err := db.QueryRow("select count(*) from people where name = 'before'").Scan(&n); err != nil || n != people {
		t.Errorf("%d rows of the table are as they were, %v; want all", n, err)
	}
	v.set(false)
	eventually(t, "both have caught up", func() bool { return has("minute 9") })
	eventually(t, "all shards say so", func() bool { // a moment behind their rows
		return !slices.ContainsFunc(readers.Projections(), func(s projector.Status) bool { return s.State != projector.Live })
	})
	for _, s := range readers.Projections() {
		if s.Parked > 0 || len(s.Letters) > 0 {
			t.Errorf("afterwards: %+v", s)
		}
	}
	if redacted.Load() > 0 {
		t.Errorf("%d events came redacted, of people whom nobody has erased", redacted.Load())
	}
}

// The same for an owner: its commands wait, its queries are UNAVAILABLE, nothing becomes a dead letter.
func TestTenMinutesWithoutKeysForAnOwner(t *testing.T) {
	h, metrics := newErasureHouse(t), prometheus.NewRegistry()
	desk := h.start("", nil)
	v := newVault(h.keys, h.kms)
	through := v.through(h)
	h.alter = func(c *service.Config) { through(c); c.Metrics = metrics }
	owner := h.start(t.TempDir(), nil, h.owner())
	h.everybody(desk, true, "before")
	v.set(true)
	eventually(t, "the service knows that it is cut off", func() bool { return owner.Ready() != nil })
	for minute := range 10 {
		v.passes(time.Minute)
		h.everybody(desk, false, fmt.Sprint("minute ", minute))
		eventually(t, "both partitions wait for keys", func() bool {
			return partitionStatus(owner, 0).Reason == muster.ReasonKeyUnavailable && partitionStatus(owner, 1).Reason == muster.ReasonKeyUnavailable
		})
	}
	if _, err := h.ask.Call(bounded(t), desk.Client(), "p-0", &peoplepb.Ask{}, muster.Timeout(time.Second)); muster.CodeOf(err) != muster.Unavailable && muster.CodeOf(err) != muster.DeadlineExceeded {
		t.Errorf("a query without keys: %v", err)
	}
	eventually(t, "the lag is told", func() bool { return total(t, metrics, "muster_lag_commands", nil) > 0 })
	v.set(false)
	for i := range people {
		var receipt muster.Receipt
		got, err := h.signUp.Call(bounded(t), desk.Client(), fmt.Sprint("p-", i), &peoplepb.SignUp{Name: "after", City: "Bern"}, muster.ReceiptTo(&receipt), muster.Timeout(patience))
		if err != nil || receipt.Revision != 12 || got.Name != "after" || got.Letters != 5 {
			t.Errorf("afterwards: %v at revision %d, %v; want all twelve", got, receipt.Revision, err)
		}
	}
	if page, err := owner.DeadLetters(h.group).List(bounded(t), service.LetterFilter{}, muster.Position{}, 10); err != nil || len(page.Letters) > 0 {
		t.Errorf("dead letters: %+v, %v", page.Letters, err)
	}
}
