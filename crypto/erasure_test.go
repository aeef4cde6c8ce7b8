package crypto_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

func TestAnErasureGoesThroughItsStates(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
	keys.give(erasureAnna)
	p := startErasure(t, log, keys)
	if err := p.ledger.Join(t.Context(), "bank", erasureTwo); err != nil {
		t.Fatal(err)
	}
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Key: "case-1", Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil || e.State != crypto.ErasureRequested || len(e.Owed) != 3 || keys.calls != 0 {
		t.Fatalf("requested: %+v, %v, %d destructions", e, err, keys.calls)
	}
	advance := func(want crypto.ErasureState) {
		t.Helper()
		if err := p.eraser.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e, _ = p.ledger.Erasure(e.ID); e.State != want {
			t.Fatalf("the erasure is %s, want %s", e.State, want)
		}
	}
	advance(crypto.ErasurePropagating)
	if len(e.Receipt.Keys) != 1 || len(e.Receipt.Generations) != 1 || len(e.Missing()) != 3 || e.Overdue(p.now) {
		t.Fatalf("after the destruction: %+v", e)
	}
	if p.now = p.now.Add(25 * time.Hour); len(p.eraser.Overdue()) != 1 {
		t.Error("three acknowledgements are missing past the deadline, and nobody is told")
	}
	for i, d := range e.Owed {
		advance(crypto.ErasurePropagating)
		if err := p.ledger.Acknowledge(t.Context(), e.ID, d); err != nil {
			t.Fatalf("acknowledgement %d: %v", i, err)
		}
	}
	advance(crypto.ErasurePurged)
	if len(p.eraser.Overdue()) != 0 {
		t.Error("a purged erasure is overdue")
	}
	p.gone = true
	advance(crypto.ErasureUnrecoverable)
	_, records := p.ledger.Head()
	again, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Key: "case-2", Reason: "gdpr-17", Requester: "desk-5"})
	if err != nil || again.ID != e.ID {
		t.Errorf("a second request gave %v, %v; want the first erasure", again.ID, err)
	}
	if _, after := p.ledger.Head(); after != records {
		t.Errorf("a second request wrote %d records", after-records)
	}
}

// What one process has begun, another one ends, wherever the first died.
func TestAnErasureGoesOnAfterAKillAtEachStep(t *testing.T) {
	points := []string{
		"erasure-keys-destroyed-done", "erasure-keys-destroyed", "erasure-propagating-done", "erasure-propagating",
		"erasure-purged-done", "erasure-purged", "erasure-unrecoverable-done", "erasure-unrecoverable",
	}
	for _, point := range points {
		t.Run(point, func(t *testing.T) {
			log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
			keys.give(erasureAnna)
			p := startErasure(t, log, keys)
			p.die, p.gone = point, true
			e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Key: "case-1", Reason: "gdpr-17", Requester: "desk-4"})
			if err != nil {
				t.Fatal(err)
			}
			killed, err := p.survive(func() error { return p.eraser.Advance(t.Context()) })
			if !killed {
				t.Fatalf("nothing happened at %s: %v", point, err)
			}
			q := startErasure(t, log, keys)
			q.gone = true
			if err := q.eraser.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			if e, _ = q.ledger.Erasure(e.ID); e.State != crypto.ErasureUnrecoverable || len(e.Receipt.Keys) != 1 {
				t.Errorf("after the kill it came to %s with receipt %+v", e.State, e.Receipt)
			}
			if _, records := q.ledger.Head(); records != 5 {
				t.Errorf("%d records count, want one per state", records)
			}
		})
	}
}

// An append whose answer is lost is neither repeated nor forgotten.
func TestALedgerRecordCountsOnceWhateverItsAnswer(t *testing.T) {
	lost := errors.New("no answer")
	for name, fail := range map[string][2]error{"not written": {lost, nil}, "written": {nil, lost}} {
		t.Run(name, func(t *testing.T) {
			log, keys := &erasureLog{}, newErasureKeys()
			p := startErasure(t, log, keys)
			times := 0
			log.fail = func() (error, error) {
				if times++; times == 1 {
					return fail[0], fail[1]
				}
				return nil, nil
			}
			r := crypto.ErasureRequest{Subject: erasureAnna, Key: "case-1", Reason: "gdpr-17", Requester: "desk-4"}
			first, err := p.eraser.Request(t.Context(), r)
			if (err != nil) != (fail[0] != nil) {
				t.Fatalf("the first request: %v", err)
			}
			second, err := p.eraser.Request(t.Context(), r)
			if err != nil || first.ID != "" && first.ID != second.ID {
				t.Fatalf("the repeat gave %s, %v; the first gave %s", second.ID, err, first.ID)
			}
			if _, records := p.ledger.Head(); records != 1 || len(p.ledger.Erasures()) != 1 {
				t.Errorf("%d records, %d erasures; want one", records, len(p.ledger.Erasures()))
			}
		})
	}
}

func TestNothingIsDestroyedOrConcludedWhileTheKeyStoreIsAway(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
	p := startErasure(t, log, keys)
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil {
		t.Fatal(err)
	}
	keys.down = crypto.ErrKeyUnavailable
	if err := p.eraser.Advance(t.Context()); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Fatalf("advance: %v", err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State != crypto.ErasureRequested {
		t.Fatalf("the erasure is %s although no key store has confirmed anything", e.State)
	}
	keys.down = nil
	if err := p.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State != crypto.ErasureUnrecoverable { // it never had a key, and nobody has joined
		t.Errorf("the erasure is %s", e.State)
	}
}

// Bytes that a racing re-wrap puts back are overwritten before anything is called purged.
func TestNothingIsPurgedWhileBytesOfAKeyAreLeft(t *testing.T) {
	log, keys := &crypto.MemoryLedgerLog{}, newErasureKeys()
	keys.give(erasureAnna)
	p := startErasure(t, log, keys)
	p.die = "erasure-propagating"
	e, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4"})
	if err != nil {
		t.Fatal(err)
	}
	if killed, err := p.survive(func() error { return p.eraser.Advance(t.Context()) }); !killed {
		t.Fatal(err)
	}
	keys.entries[erasureAnna][0].Wrapped = []byte("back again")
	if err := p.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State != crypto.ErasurePropagating || len(keys.entries[erasureAnna][0].Wrapped) > 0 {
		t.Fatalf("it is %s, and %d bytes are left", e.State, len(keys.entries[erasureAnna][0].Wrapped))
	}
	if err := p.eraser.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	if e, _ = p.ledger.Erasure(e.ID); e.State != crypto.ErasurePurged {
		t.Errorf("it is %s when nothing is left", e.State)
	}
}

func TestTheLedgerTakesNoNames(t *testing.T) {
	p := startErasure(t, &crypto.MemoryLedgerLog{}, newErasureKeys())
	for _, r := range []crypto.ErasureRequest{
		{Subject: erasureAnna, Reason: "asked by mail", Requester: "desk-4"},
		{Subject: erasureAnna, Reason: "gdpr-17", Requester: "anna@example.org"},
		{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4", Key: "Anna Müller"},
		{Subject: erasureAnna, Reason: "", Requester: "desk-4"},
	} {
		if _, err := p.eraser.Request(t.Context(), r); muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("%+v: %v", r, err)
		}
	}
	if _, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureAnna, Reason: "gdpr-17", Requester: "desk-4", Key: "k"}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.eraser.Request(t.Context(), crypto.ErasureRequest{Subject: erasureBert, Reason: "gdpr-17", Requester: "desk-4", Key: "k"}); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("one key for two subjects: %v", err)
	}
}
