package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// erasureRecords gives the values of a log.
func erasureRecords(t *testing.T, log crypto.LedgerLog) [][]byte {
	t.Helper()
	var all [][]byte
	if err := log.Read(t.Context(), 0, func(_ int64, v []byte) error { all = append(all, slices.Clone(v)); return nil }); err != nil {
		t.Fatal(err)
	}
	return all
}

func erasureLogOf(t *testing.T, records [][]byte) *crypto.MemoryLedgerLog {
	t.Helper()
	log := &crypto.MemoryLedgerLog{}
	for _, r := range records {
		if _, err := log.Append(t.Context(), "", r); err != nil {
			t.Fatal(err)
		}
	}
	return log
}

func erasureHistory(t *testing.T) (*crypto.MemoryLedgerLog, *erasureKeys, *erasureProcess) {
	t.Helper()
	log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
	keys.give(erasureAnna)
	p := startErasure(t, log, keys)
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"})
	if err == nil {
		err = p.eraser.Advance(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State != crypto.ErasurePurged {
		t.Fatalf("the erasure is %s", e.State)
	}
	return log, keys, p
}

// Whatever is done to a record in the middle of the ledger is found.
func TestAChangedLedgerIsFound(t *testing.T) {
	log, _, _ := erasureHistory(t)
	records := erasureRecords(t, log)
	if len(records) != 4 {
		t.Fatalf("%d records", len(records))
	}
	open := func(records [][]byte) error {
		_, err := crypto.OpenLedger(t.Context(), erasureLogOf(t, records), "x", nil)
		return err
	}
	if err := open(records); err != nil {
		t.Fatal(err)
	}
	for i := range records[:len(records)-1] {
		if err := open(slices.Delete(slices.Clone(records), i, i+1)); !errors.Is(err, crypto.ErrLedgerBroken) {
			t.Errorf("without record %d: %v", i, err)
		}
		for at := range records[i] {
			changed := slices.Clone(records)
			changed[i] = bytes.Clone(records[i])
			changed[i][at] ^= 1
			if err := open(changed); err == nil {
				t.Fatalf("byte %d of record %d was changed, and nobody noticed", at, i)
			}
		}
	}
	swapped := slices.Clone(records)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	if err := open(swapped); !errors.Is(err, crypto.ErrLedgerBroken) {
		t.Errorf("swapped records: %v", err)
	}
}

func TestARecordOfANewerBuildStopsTheLedger(t *testing.T) {
	for _, text := range []string{`{"format":2,"kind":"requested"}`, `{"format":1,"kind":"frozen"}`} {
		if _, err := crypto.OpenLedger(t.Context(), erasureLogOf(t, [][]byte{[]byte(text)}), "x", nil); !errors.Is(err, crypto.ErrLedgerNewer) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// A backup of the key store from before the erasure has the keys; the ledger takes them away again before it serves.
func TestAReplayTakesRestoredKeysAway(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
	keys.give(erasureAnna)
	keys.give(erasureBert)
	backup := keys.snapshot()
	p := startErasure(t, log, keys)
	if _, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"}); err != nil {
		t.Fatal(err)
	}
	if err := p.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	for round, want := range []crypto.Drill{{Erasures: 1, Destroyed: 1}, {Erasures: 1}} {
		drill, err := crypto.Replay(t.Context(), p.ledger, backup)
		if err != nil || drill != want {
			t.Fatalf("replay %d: %+v, %v", round, drill, err)
		}
	}
	if _, err := backup.Active(t.Context(), erasureAnna); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("the erased subject's key: %v", err)
	}
	if _, err := backup.Active(t.Context(), erasureBert); err != nil {
		t.Errorf("the other one's key: %v", err)
	}
	backup.down = crypto.ErrKeyUnavailable
	if _, err := crypto.Replay(t.Context(), p.ledger, backup); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Errorf("a replay that could not look: %v", err)
	}
}

func TestAReinstatedSubjectHasANewLife(t *testing.T) {
	log, keys, p := erasureHistory(t)
	backup := newErasureKeys()
	backup.give(erasureAnna) // as before the erasure
	p.die = "erasure-reinstated"
	if killed, err := p.survive(func() error { return p.eraser.Reinstate(t.Context(), erasureAnna, "came-back", "desk-4") }); !killed {
		t.Fatal(err)
	}
	q := startErasure(t, log, keys)
	if err := q.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if keys.lives[erasureAnna] != 1 {
		t.Fatalf("the subject is in life %d after the kill, want 1", keys.lives[erasureAnna])
	}
	keys.give(erasureAnna)
	for _, store := range []*erasureKeys{keys, backup} {
		if _, err := crypto.Replay(t.Context(), q.ledger, store); err != nil {
			t.Fatal(err)
		}
		if _, gone := store.gone[erasureAnna]; gone || store.lives[erasureAnna] != 1 || len(store.entries[erasureAnna][0].Wrapped) > 0 {
			t.Errorf("after the replay: destroyed %v, life %d, old key %q", gone, store.lives[erasureAnna], store.entries[erasureAnna][0].Wrapped)
		}
	}
	if _, err := keys.Active(t.Context(), erasureAnna); err != nil {
		t.Errorf("the key of the new life: %v", err)
	}
	second, err := q.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil || second.State != crypto.ErasureRequested {
		t.Errorf("the erasure of the second life: %+v, %v", second, err)
	}
	if err := q.eraser.Reinstate(t.Context(), erasureBert, "came-back", "desk-4"); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("reinstating who was never erased: %v", err)
	}
}

func TestALedgerTellsOfChanges(t *testing.T) {
	log := &crypto.MemoryLedgerLog{}
	p, q := startErasure(t, log, newErasureKeys()), startErasure(t, log, newErasureKeys())
	changed := q.ledger.Changed()
	if err := p.ledger.Join(t.Context(), "bank", erasureTwo); err != nil {
		t.Fatal(err)
	}
	<-changed
	if err := p.ledger.Exported(t.Context(), crypto.ExportRecord{ID: "x1", Subject: erasureAnna, Requester: "desk-4", Messages: 3}); err != nil {
		t.Fatal(err)
	}
	if err := p.ledger.Leave(t.Context(), "bank"); err != nil {
		t.Fatal(err)
	}
	if err := q.ledger.Sync(context.Background()); err != nil {
		t.Fatal(err)
	}
	if all := q.ledger.Exports(); len(all) != 1 || all[0].Messages != 3 || all[0].By != "bank/1" {
		t.Errorf("exports: %+v", all)
	}
	e, err := q.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil || len(e.Owed) != 0 {
		t.Errorf("a service that has left owes %v, %v", e.Owed, err)
	}
}

// Of two records written side by side the first counts; the writer of the other one looks again and writes anew, so that the chain has no forks.
func TestWhoIsOvertakenWritesAgain(t *testing.T) {
	log, keys := &erasureLog{}, newErasureKeys()
	p, q := startErasure(t, log, keys), startErasure(t, &log.MemoryLedgerLog, keys)
	overtaken := false
	log.fail = func() (error, error) {
		if !overtaken {
			overtaken = true
			if _, err := q.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureBert, Reason: "gdpr-17", Requester: "desk-4"}); err != nil {
				t.Error(err)
			}
		}
		return nil, nil
	}
	if _, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"}); err != nil {
		t.Fatal(err)
	}
	if err := q.ledger.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, one := range []*erasureProcess{p, q} {
		head, records := one.ledger.Head()
		if written := erasureRecords(t, log); len(written) != 3 || records != 2 || len(one.ledger.Erasures()) != 2 || head == "" {
			t.Errorf("%d records are written, %d count, %d erasures; want 3, 2 and 2", len(written), records, len(one.ledger.Erasures()))
		}
	}
}
