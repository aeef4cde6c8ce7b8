package postgres_test

import (
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/postgres"
	"github.com/seed-3eec0498/muster/internal/pgtest"
)

// An older backup of the table comes back, and the ledger is replayed over it: the key is gone again, the other's is there, and a new life has a
// version 1 of its own.
func TestRestoredTableIsReplayed(t *testing.T) {
	pool := keyPool(t, pgtest.Database(t))
	store := openKeys(t, pool, postgres.Config{})
	anna, bert := crypto.SubjectRef{1}, crypto.SubjectRef{2}
	give := func(s crypto.SubjectRef, id byte) crypto.Entry {
		t.Helper()
		e, err := store.PutIfAbsent(t.Context(), crypto.Entry{Subject: s, ID: crypto.KeyID{id}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: []byte("wrapped")})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	sql := func(statements ...string) {
		t.Helper()
		for _, s := range statements {
			if _, err := pool.Exec(t.Context(), s); err != nil {
				t.Fatal(err)
			}
		}
	}
	old := give(anna, 1)
	give(bert, 2)
	sql("create table backup as select * from muster_keys")
	ledger, err := crypto.OpenLedger(t.Context(), &crypto.MemoryLedgerLog{}, "test", nil)
	if err != nil {
		t.Fatal(err)
	}
	eraser := crypto.NewEraser(crypto.EraserConfig{Ledger: ledger, Keys: store})
	if _, err := eraser.Request(t.Context(), crypto.ErasureRequest{Subject: anna, Reason: "gdpr-17", Requester: "desk"}); err != nil {
		t.Fatal(err)
	}
	if err := eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	sql("delete from muster_keys", "insert into muster_keys select * from backup")
	if _, err := store.Active(t.Context(), anna); err != nil {
		t.Fatalf("the backup has no key: %v", err)
	}
	store = openKeys(t, pool, postgres.Config{}) // as a service does that starts
	for n, want := range []int{1, 0} {
		if drill, err := crypto.Replay(t.Context(), ledger, store); err != nil || drill.Destroyed != want {
			t.Errorf("replay %d found %+v, %v; want %d", n, drill, err, want)
		}
	}
	if _, err := store.Lookup(t.Context(), anna, old.ID); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("the restored key: %v", err)
	}
	if _, err := store.Active(t.Context(), bert); err != nil {
		t.Errorf("the other's key: %v", err)
	}
	err = store.Scan(t.Context(), func(e crypto.Entry) error {
		if e.Subject == anna && len(e.Wrapped) > 0 {
			t.Error("its bytes are left")
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := eraser.Reinstate(t.Context(), anna, "came-back", "desk"); err != nil {
		t.Fatal(err)
	}
	if drill, err := crypto.Replay(t.Context(), ledger, store); err != nil || drill.Destroyed != 0 {
		t.Errorf("with a new life without a key: %+v, %v", drill, err)
	}
	if fresh := give(anna, 3); fresh.Version != 1 || fresh.Life != 1 || fresh.ID == old.ID {
		t.Errorf("the new key is %+v", fresh)
	}
	if _, err := store.Lookup(t.Context(), anna, old.ID); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("the old key behind the new one: %v", err)
	}
}
