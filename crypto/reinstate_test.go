package crypto_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// askedKeys has something happen, once, behind an answer about a destruction.
type askedKeys struct {
	crypto.KeyStore
	answered func() error // nil: nothing
}

func (k *askedKeys) Destroyed(ctx context.Context, s crypto.SubjectRef) (crypto.Receipt, bool, error) {
	receipt, is, err := k.KeyStore.Destroyed(ctx, s)
	if happens := k.answered; happens != nil {
		k.answered = nil
		err = errors.Join(err, happens())
	}
	return receipt, is, err
}

// erases asks for an erasure and takes it as far as it goes.
func (p *erasureProcess) erases(t *testing.T, s crypto.SubjectRef, key string) crypto.Erasure {
	t.Helper()
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: s, Key: key, Reason: "gdpr-17", Requester: "desk-4"})
	if err == nil {
		err = p.eraser.Advance(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	e, _ = p.ledger.Erasure(e.ID)
	return e
}

func wantEnded(t *testing.T, keys crypto.KeyStore, s crypto.SubjectRef, life uint32) {
	t.Helper()
	if receipt, is, err := keys.Destroyed(t.Context(), s); err != nil || !is || receipt.Life != life {
		t.Errorf("the key store says of one who is erased on the ledger: %+v, %v, %v; want that life %d has ended", receipt, is, err, life)
	}
}

// Who opens a new life of a person is slow, and meanwhile another process has opened it and the person was erased once more. That erasure stands.
func TestALateReinstateUndoesNoLaterErasure(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, crypto.NewMemoryKeys()
	slow := &askedKeys{KeyStore: keys}
	p, q := startErasure(t, log, slow), startErasure(t, log, keys)
	q.erases(t, erasureAnna, "case-1")
	var again crypto.Erasure
	slow.answered = func() error {
		if err := q.eraser.Advance(t.Context()); err != nil {
			return err
		}
		again = q.erases(t, erasureAnna, "case-2")
		return nil
	}
	if err := p.eraser.Reinstate(t.Context(), erasureAnna, "came-back", "desk-4"); err != nil {
		t.Fatal(err)
	}
	if again.Receipt.Life != 1 {
		t.Fatalf("the second erasure is %+v", again)
	}
	wantEnded(t, keys, erasureAnna, 1)
}

// A person is to begin a new life and is to be erased again, and the key store fails between the two. The second erasure ends the new life, and is not taken
// for the first.
func TestAnErasureWaitsForTheLifeItEnds(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, crypto.NewMemoryKeys()
	failing := &askedKeys{KeyStore: keys}
	p := startErasure(t, log, failing)
	p.erases(t, erasureAnna, "case-1")
	p.die = "erasure-reinstated"
	if killed, err := p.survive(func() error { return p.eraser.Reinstate(t.Context(), erasureAnna, "came-back", "desk-4") }); !killed {
		t.Fatal(err)
	}
	p.die = ""
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Key: "case-2", Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil {
		t.Fatal(err)
	}
	failing.answered = func() error { return crypto.ErrKeyUnavailable }
	if err := p.eraser.Advance(t.Context()); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Fatalf("with a key store that fails: %v", err)
	}
	if err := p.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State < crypto.ErasurePurged || e.Receipt.Life != 1 || e.Receipt.Erasure != e.ID {
		t.Errorf("the second erasure is %+v", e)
	}
	wantEnded(t, keys, erasureAnna, 1)
}
