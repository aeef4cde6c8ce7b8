package projector_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/seed-3eec0498/muster/projector"
)

// broken is a switch: while it is on, operations on matching files fail.
type broken struct {
	on     atomic.Bool
	file   string
	kinds  []errorfs.OpKind
	number syscall.Errno
}

// String names the injector.
func (b *broken) String() string { return "broken" }

// MaybeError fails what matches.
func (b *broken) MaybeError(op errorfs.Op) error {
	if !b.on.Load() || !strings.Contains(op.Path, b.file) {
		return nil
	}
	for _, kind := range b.kinds {
		if op.Kind == kind {
			return &os.PathError{Op: "test", Path: op.Path, Err: b.number}
		}
	}
	return nil
}

// freshLogs is a file system that recycles no files, since errorfs fails none of those.
type freshLogs struct{ vfs.FS }

// ReuseForWrite makes a new file.
func (f freshLogs) ReuseForWrite(old, name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.Create(name, category)
	if err == nil {
		err = f.Remove(old)
	}
	return file, err
}

// ballast is a batch that fills write buffers quickly.
func ballast(t testing.TB, h projector.Holding, v *projector.View[balance], n int) error {
	t.Helper()
	return tryApply(t, h, v, int64(n+1), func(r *projector.Rows[balance]) {
		noError(t, r.Put(fmt.Sprint("key-", n), balance{Owner: strings.Repeat("x", 20_000)}))
		noError(t, r.Add("rows", 1))
	})
}

// intact fails the test unless rows, counter and checkpoint agree.
func intact(t *testing.T, s *projector.Store, v *projector.View[balance]) (rows int) {
	t.Helper()
	for row, err := range v.All(t.Context(), s) {
		noError(t, err)
		if row.Key == "" {
			t.Fatal("a row without a key")
		}
		rows++
	}
	counted, err := v.Count(t.Context(), s, "rows")
	noError(t, err)
	page, err := v.Scan(t.Context(), s, projector.Limit(1))
	noError(t, err)
	if int(counted) != rows || rows > 0 && page.At[0].Offset != int64(rows)-1 {
		t.Fatalf("%d rows are there, %d were counted, the checkpoint is %v", rows, counted, page.At)
	}
	return rows
}

// A log that cannot be written fails the store, and nothing else: batches and queries say so, and the next open finds what was committed before.
func TestStoreLogFails(t *testing.T) {
	for _, number := range []syscall.Errno{syscall.ENOSPC, syscall.EIO} {
		v := projector.NewView[balance]("totals")
		fault := &broken{file: ".log", kinds: []errorfs.OpKind{errorfs.OpFileWrite}, number: number}
		mem := vfs.NewMem()
		var told atomic.Int64
		cfg := projector.StoreConfig{
			Views: []projector.AnyView{v}, Dir: "views", FS: freshLogs{errorfs.Wrap(mem, fault)}, WriteBufferBytes: 64 << 10,
			Observe: projector.StoreObserve{Failed: func(error) { told.Add(1) }},
		}
		s := openStore(t, cfg)
		h := claim(t, s, shardOf(v, 0))
		n := 0
		for ; n < 20; n++ {
			noError(t, ballast(t, h, v, n))
		}
		fault.on.Store(true)
		err := error(nil)
		for ; err == nil && n < 1000; n++ {
			err = ballast(t, h, v, n)
		}
		n--
		if !errors.Is(err, projector.ErrStore) || !errors.Is(err, number) || errors.Is(err, projector.ErrFull) != (number == syscall.ENOSPC) ||
			!strings.Contains(err.Error(), "view directory views") || !strings.Contains(err.Error(), "restart") {
			t.Fatalf("Commit answers %v", err)
		}
		_, claimErr := s.Claim(t.Context(), shardOf(v, 0))
		_, readErr := v.Get(t.Context(), s, "key-1")
		for _, err := range []error{claimErr, s.Failed(), s.Close()} {
			if !errors.Is(err, projector.ErrStore) {
				t.Fatalf("after the failure: %v", err)
			}
		}
		if readErr == nil || told.Load() != 1 {
			t.Fatalf("a query answers %v; Failed was called %d times", readErr, told.Load())
		}
		s = openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: mem, Observe: projector.StoreObserve{
			Rebuilt: func(r projector.StoreRebuilt) { t.Errorf("given up: %+v", r) },
		}})
		claim(t, s, shardOf(v, 0))
		if rows := intact(t, s, v); rows > n+1 || rows == 0 {
			t.Fatalf("%d batches are there, %d were committed", rows, n)
		}
	}
}

// A disk that is full for tables is waited for: Commit says so, and works again once there is room.
func TestStoreFullForAWhile(t *testing.T) {
	v := projector.NewView[balance]("totals")
	fault := &broken{file: ".sst", kinds: []errorfs.OpKind{errorfs.OpCreate, errorfs.OpFileWrite}, number: syscall.ENOSPC}
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: errorfs.Wrap(vfs.NewMem(), fault), WriteBufferBytes: 64 << 10})
	h := claim(t, s, shardOf(v, 0))
	fault.on.Store(true)
	n, err := 0, error(nil)
	for ; err == nil && n < 10_000; n++ {
		err = ballast(t, h, v, n)
	}
	n--
	if !errors.Is(err, projector.ErrFull) || !errors.Is(err, projector.ErrStore) || !strings.Contains(err.Error(), "by themselves") || s.Failed() != nil {
		t.Fatalf("Commit answers %v", err)
	}
	if rows := intact(t, s, v); rows != n {
		t.Fatalf("%d rows are there, %d were committed", rows, n)
	}
	fault.on.Store(false)
	deadline := time.Now().Add(90 * time.Second)
	for errors.Is(err, projector.ErrFull) && time.Now().Before(deadline) {
		err = ballast(t, h, v, n)
	}
	noError(t, err)
	if rows := intact(t, s, v); rows != n+1 {
		t.Fatalf("%d rows are there, %d were committed", rows, n+1)
	}
}

// A read that the disk refuses in the middle of a function is no fault of the event, whatever the function makes of it.
func TestStoreReadFails(t *testing.T) {
	v := projector.NewView[balance]("totals")
	fault := &broken{file: ".sst", kinds: []errorfs.OpKind{errorfs.OpFileReadAt}, number: syscall.EIO}
	cfg := projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: errorfs.Wrap(vfs.NewMem(), fault), WriteBufferBytes: 4 << 20, CacheBytes: 1}
	first := openStore(t, cfg)
	h := claim(t, first, shardOf(v, 0))
	for n := range 60 {
		noError(t, ballast(t, h, v, n))
	}
	noError(t, first.Close())
	s := openStore(t, cfg) // the rows lie in one table now, and nothing is written or merged beside the reads
	h = claim(t, s, shardOf(v, 0))
	fault.on.Store(true)
	b, err := h.Begin(t.Context())
	noError(t, err)
	for n := 0; err == nil && n < 60; n++ {
		_, _, err = v.Hand(b.Tx()).Get(fmt.Sprint("key-", n))
	}
	if !errors.Is(err, projector.ErrStore) || !errors.Is(err, syscall.EIO) || errors.Is(err, projector.ErrCorrupt) {
		t.Fatalf("Get answers %v", err)
	}
	if after := b.(projector.Checked).After(t.Context(), nil); !errors.Is(after, projector.ErrStore) {
		t.Fatalf("After gives %v", after)
	}
	if err := b.Commit(t.Context(), projector.Change{}); !errors.Is(err, projector.ErrStore) {
		t.Fatalf("Commit answers %v", err)
	}
	fault.on.Store(false)
	noError(t, ballast(t, h, v, 60))
	if rows := intact(t, s, v); rows != 61 {
		t.Fatalf("%d rows are there", rows)
	}
}

// A record that no decoder accepts begins its shard anew, loudly; the other shards stay as they are, and so does the process.
func TestStoreDamagedRow(t *testing.T) {
	v := projector.NewView[balance]("totals")
	mem := vfs.NewMem()
	cfg := projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: mem}
	s := openStore(t, cfg)
	first, second := claim(t, s, shardOf(v, 0)), claim(t, s, shardOf(v, 1))
	apply(t, first, v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("a", balance{Owner: "ann"})) })
	apply(t, second, v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("b", balance{Owner: "bob"})) })
	noError(t, s.Close())
	db, err := pebble.Open("views", &pebble.Options{FS: mem, FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: quiet{}})
	noError(t, err)
	noError(t, db.Set(projector.RowKey(1, "a"), []byte{1, 99}, pebble.Sync))
	noError(t, db.Close())

	var told []projector.StoreRebuilt
	cfg.Observe.Rebuilt = func(r projector.StoreRebuilt) { told = append(told, r) }
	s = openStore(t, cfg)
	first, second = claim(t, s, shardOf(v, 0)), claim(t, s, shardOf(v, 1))
	if _, err := v.Get(t.Context(), s, "a"); err == nil || !strings.Contains(err.Error(), "corrupt") {
		t.Fatalf("Get answers %v", err)
	}
	err = tryApply(t, first, v, 2, func(*projector.Rows[balance]) {})
	if !errors.Is(err, projector.ErrCorrupt) || !errors.Is(err, projector.ErrStore) {
		t.Fatalf("Commit to a damaged shard answers %v", err)
	}
	apply(t, second, v, 2, func(r *projector.Rows[balance]) { noError(t, r.Put("b", balance{Owner: "bill"})) })
	first.Release()
	first = claim(t, s, shardOf(v, 0))
	stored, err := first.Stored(t.Context())
	noError(t, err)
	if len(stored.Checkpoints) != 0 || len(told) != 1 || told[0].Projection != "totals@1" || told[0].Shard != 0 || told[0].Reason != projector.RebuiltCorrupt {
		t.Fatalf("claimed again it has %+v; told %+v", stored, told)
	}
	apply(t, first, v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("a", balance{Owner: "anna"})) })
	for key, want := range map[string]string{"a": "anna", "b": "bill"} {
		if got, err := v.Get(t.Context(), s, key); err != nil || got.Owner != want {
			t.Fatalf("row %s is %v, %v", key, got, err)
		}
	}
}

// What cannot be used is moved aside, and the store begins anew; a second opener is refused.
func TestStoreMovedAside(t *testing.T) {
	v := projector.NewView[balance]("totals")
	for reason, spoil := range map[string]func(db *pebble.DB) error{
		projector.RebuiltNewerFormat: func(db *pebble.DB) error {
			return db.Set(projector.FormatKey(), projector.EncodeStoreFormat(99), pebble.Sync)
		},
		projector.RebuiltForeign: func(db *pebble.DB) error { return db.Set(projector.FormatKey(), []byte("other"), pebble.Sync) },
	} {
		mem := vfs.NewMem()
		var told []projector.StoreRebuilt
		cfg := projector.StoreConfig{Views: []projector.AnyView{v}, Dir: "views", FS: mem, Observe: projector.StoreObserve{
			Rebuilt: func(r projector.StoreRebuilt) { told = append(told, r) },
		}}
		s := openStore(t, cfg)
		apply(t, claim(t, s, shardOf(v, 0)), v, 1, func(r *projector.Rows[balance]) { noError(t, r.Put("a", balance{})) })
		if _, err := projector.OpenStore(cfg); !errors.Is(err, projector.ErrLocked) {
			t.Fatalf("a second opener gets %v", err)
		}
		noError(t, s.Close())
		db, err := pebble.Open("views", &pebble.Options{FS: mem, FormatMajorVersion: pebble.FormatColumnarBlocks, Logger: quiet{}})
		noError(t, err)
		noError(t, spoil(db))
		noError(t, db.Close())
		s = openStore(t, cfg)
		if len(told) != 1 || told[0].Reason != reason || told[0].MovedTo != "views.corrupt-1" || told[0].Projection != "" {
			t.Fatalf("%s: told %+v", reason, told)
		}
		stored, err := claim(t, s, shardOf(v, 0)).Stored(t.Context())
		if err != nil || len(stored.Checkpoints) != 0 {
			t.Fatalf("%s: begun anew it has %+v, %v", reason, stored, err)
		}
		if _, err := mem.Stat("views.corrupt-1"); err != nil {
			t.Fatal(err)
		}
	}
}
