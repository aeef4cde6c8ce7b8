package service_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// crowded is a view that has no room for anybody, and says so with all that it knows of them, until there is.
func (b *guests[T]) crowded(room *atomic.Bool) *projector.View[T] {
	v := projector.NewView[T](b.group.Name()+"-seated", projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(v, b.booked, func(_ context.Context, rows *projector.Rows[T], e T, m muster.Meta) error {
		if !room.Load() {
			return fmt.Errorf("no room for %v", e)
		}
		return rows.Put(m.AggregateID, e)
	})
	return v
}

// awaitSeatedLetters waits until so many letters of that view lie aside, and gives them.
func (b *guests[T]) awaitSeatedLetters(t *testing.T, s *running, n int) (all []projector.Letter) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d letters lie aside", n), func() bool {
		var err error
		all, err = s.Operator().Letters(bounded(t), projector.LetterQuery{Scope: projector.Scope{Projection: b.group.Name() + "-seated"}})
		return err == nil && len(all) == n
	})
	return all
}

// wantProof checks what a verification counts and says, in any order.
func wantProof(t *testing.T, proof service.Verification, letters, found int, faults ...string) {
	t.Helper()
	if proof.Letters != letters || proof.Clear != found || len(proof.Faults) != len(faults) || proof.Proven() != (len(faults) == 0) {
		t.Errorf("the proof is %+v; want %d letters, %d in clear, %d faults", proof, letters, found, len(faults))
	}
	for _, want := range faults {
		if !slices.ContainsFunc(proof.Faults, func(fault string) bool { return strings.Contains(fault, want) }) {
			t.Errorf("the faults do not tell %q: %q", want, proof.Faults)
		}
	}
}

// A letter keeps its event as it came, and its cause may have a name. Where the name lay in clear in the event, an erasure takes it out of the cause like one that
// was sealed, and who proves the erasure is told of the letter: also of a cause that an older build, which could not see it, has left.
func TestLettersWithDataInClear(t *testing.T) {
	h := newErasureHouse(t)
	dir := t.TempDir()
	var room atomic.Bool
	before := newGuests[guestBefore](h)
	s := h.start(dir, nil, before.owner(), before.view, before.crowded(&room))
	for i, name := range []string{"Anna", "Bert", "Cleo"} {
		before.books(t, s, strings.ToLower(name), guestBefore{name, "", i + 1})
	}
	before.awaitSeatedLetters(t, s, 3)
	h.erases(s, "anna") // by a build that sees nothing of hers
	s.end()

	after := newGuests[guestAfter](h)
	s = h.start(dir, nil, after.owner(), after.view, after.crowded(&room))
	h.erases(s, "bert")
	letters := map[string]projector.Letter{}
	for _, l := range after.awaitSeatedLetters(t, s, 3) {
		letters[l.Event.AggregateID] = l
	}
	for id, want := range map[string]string{"anna": "Anna", "bert": projector.CauseErased, "cleo": "Cleo"} {
		if got := letters[id].Cause; !strings.Contains(got, want) {
			t.Errorf("the letter of %s has the cause %q, want %q", id, got, want)
		}
	}
	seated := fmt.Sprintf("projection %s-seated@1, shard 0: ", h.name)
	event, letter := "1 events have data of the subject in clear", seated+"1 letters have data of the subject in clear, from before it was declared personal; trim the journal"
	wantProof(t, verified(t, s, "bert"), 1, 2, event, letter)
	wantProof(t, verified(t, s, "anna"), 1, 5, event, letter, "1 states have", "1 snapshots have", "1 rows have", seated+"1 letters still have a cause")

	// As the faults say.
	scope := projector.Scope{Projection: h.name + "-seated"}
	if err := s.Operator().DropLetter(bounded(t), scope, letters["bert"].ID); err != nil {
		t.Fatal(err)
	}
	room.Store(true)
	if err := s.Operator().Retry(bounded(t), scope, letters["anna"].Key); err != nil {
		t.Fatal(err)
	}
	after.awaitSeatedLetters(t, s, 1)
	wantProof(t, verified(t, s, "bert"), 0, 1, event)
	wantProof(t, verified(t, s, "anna"), 0, 4, event, "1 states have", "1 snapshots have", "1 rows have")
}

// A letter that this build cannot decode may have anybody's data: a verification does not pass over it, says which one it is, and looks at all others.
func TestVerifyErasedWithALetterItCannotRead(t *testing.T) {
	h := newErasureHouse(t)
	dir := t.TempDir()
	var room atomic.Bool
	before := newGuests[guestBefore](h)
	s := h.start(dir, nil, before.owner(), before.crowded(&room))
	if _, err := before.book.Send(bounded(t), s.Client(), "anna", guestBefore{"Anna", "", 1}); err != nil {
		t.Fatal(err)
	}
	before.awaitSeatedLetters(t, s, 1)
	s.end()

	type guestOdd struct { // for the views alone: an owner could not read its states
		Name  string `json:"name,omitempty" muster:"personal"`
		Seats string `json:"seats"`
	}
	odd := newGuests[guestOdd](h)
	s = h.start(dir, nil, odd.view, odd.crowded(&room))
	id := odd.awaitSeatedLetters(t, s, 1)[0].ID
	names := []string{h.name + "@1", h.name + "-seated@1"}
	eventually(t, "the other view has put its event aside, too", func() bool {
		all, err := s.Operator().Letters(bounded(t), projector.LetterQuery{Scope: projector.Scope{Projection: h.name}})
		return err == nil && len(all) == 1
	})
	if _, err := s.Privacy().Erase(bounded(t), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the shards have carried the erasure out", func() bool {
		e, err := s.Privacy().Status(bounded(t), "anna")
		return err == nil && e.State >= crypto.ErasureKeysDestroyed && !slices.ContainsFunc(e.Missing(), func(d crypto.Duty) bool { return slices.Contains(names, d.Name) })
	})
	proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
	if err == nil || strings.Contains(err.Error(), "Anna") || proof.Proven() {
		t.Fatalf("the verification gives %+v, %v; want an error without a name", proof, err)
	}
	for _, name := range names {
		if want := "projection " + name + ", shard 0: whose data 1 letters have"; !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), id) {
			t.Errorf("the error does not tell %q and %s: %v", want, id, err)
		}
		duty := crypto.Duty{Service: h.name, Kind: crypto.DutyProjection, Name: name}
		if !slices.Contains(proof.Unseen, service.Unseen{Duty: duty, Why: "failed"}) {
			t.Errorf("what was not looked into is %+v, want %v among it", proof.Unseen, duty)
		}
	}
}
