package service_test

import (
	"runtime"
	"strings"
	"sync"
	"testing"
)

// An owner dies between the rows and the snapshots of an erasure that takes what lies in clear out of them. The next one finds the aggregate although nothing
// of it lies in clear in the rows any more, and replaces the snapshot, too.
func TestKillBeforeASnapshotInClearIsReplaced(t *testing.T) {
	h := newErasureHouse(t)
	dir := t.TempDir()
	before := newGuests[guestBefore](h)
	s := h.start(dir, nil, before.owner(), before.view)
	before.books(t, s, "anna", guestBefore{"Anna", "", 1})
	s.end() // writes snapshots

	after := newGuests[guestAfter](h)
	hit, once := make(chan struct{}), sync.Once{}
	s = h.start(dir, func(at string) {
		if at == "erasing-rows" {
			once.Do(func() { close(hit) })
			runtime.Goexit()
		}
	}, after.owner(), after.view)
	if _, err := s.Privacy().Erase(bounded(t), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	within(t, "the rows are replaced", hit)
	s.end()
	s = h.start(dir, nil, after.owner(), after.view)
	h.await(s, "anna")
	after.want(t, s, "anna", guestAfter{Seats: 1})
	if proof := verified(t, s, "anna"); proof.Clear != 1 || len(proof.Faults) != 1 || !strings.Contains(proof.Faults[0], "events") {
		t.Errorf("the verification gives %+v; want the event in clear, and nothing else", proof)
	}
}
