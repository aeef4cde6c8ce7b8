package service_test

import (
	"context"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
)

func (h *erasureHouse) await(s *running, subject string) crypto.Erasure {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	e, err := s.Privacy().Await(ctx, subject, crypto.ErasurePurged)
	if err != nil {
		h.t.Fatal(err)
	}
	return e
}

// erases has a person erased, and waits until that is over.
func (h *erasureHouse) erases(s *running, id string) {
	h.t.Helper()
	if _, err := s.Privacy().Erase(bounded(h.t), id, "gdpr-17", "desk"); err != nil {
		h.t.Fatal(err)
	}
	h.await(s, id)
}

// comesBack has a person erased who then begins again, under a new name.
func (h *erasureHouse) comesBack(s *running, id, name string) {
	h.t.Helper()
	h.erases(s, id)
	if err := s.Privacy().Reinstate(bounded(h.t), id, "came-back", "desk"); err != nil {
		h.t.Fatal(err)
	}
	h.signsUp(s, id, name)
}

// Whoever dies at any step of an erasure leaves nothing that the next one does not finish.
func TestErasureSurvivesAKillAtEachStep(t *testing.T) {
	for _, point := range []string{
		"erasure-requested", "erasure-keys-destroyed-done", "erasure-keys-destroyed", "erasure-propagating-done", "erasure-propagating",
		"erasing-folded", "erasing-rows", "erasing-replaced", "erasure-carried-out", "erasure-purged-done", "erasure-purged",
	} {
		t.Run(point, func(t *testing.T) {
			h, dir, v := newErasureHouse(t), t.TempDir(), (*erasureHouse).view
			view := v(h)
			hit, once := make(chan struct{}), sync.Once{}
			first := h.start(dir, func(name string) {
				if name == point {
					once.Do(func() { close(hit) })
					runtime.Goexit() // nothing of what would follow happens in this process
				}
			}, h.owner(), view)
			h.signsUp(first, "anna", "Anna", muster.WaitFor(view))
			h.signsUp(first, "bert", "Bert", muster.WaitFor(view))
			go func() { _, _ = first.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk") }()
			select {
			case <-hit:
			case <-time.After(patience):
				t.Fatal("it was never reached")
			}
			first.end()
			second := h.start(dir, nil, h.owner(), view)
			e := h.await(second, "anna")
			if len(e.Done) != 4 || len(e.Receipt.Keys) != 1 {
				t.Errorf("the erasure is %+v", e)
			}
			h.wantErased(second, view, "anna", "bert")
		})
	}
}

// An owner and a projector that are away owe their acknowledgements, and give them when they are back.
func TestErasureWaitsForWhoIsAway(t *testing.T) {
	h, dir := newErasureHouse(t), t.TempDir()
	view := h.view()
	first := h.start(dir, nil, h.owner(), view)
	h.signsUp(first, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(first, "bert", "Bert", muster.WaitFor(view))
	first.end()
	desk := h.start("", nil)
	e, err := desk.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk")
	if err != nil || e.State != crypto.ErasurePropagating || len(e.Missing()) != 4 {
		t.Fatalf("with everybody away: %+v, %v", e, err)
	}
	second := h.start(dir, nil, h.owner(), view)
	h.await(desk, "anna")
	h.wantErased(second, view, "anna", "bert")
}

// A reinstated person, and the aggregate whose id is used again, have new data under a new key, and the old stays gone: also for who recovers with
// an empty disk.
func TestReinstatedAfterAnErasure(t *testing.T) {
	h := newErasureHouse(t)
	s := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(s, "anna", "Anna")
	h.comesBack(s, "anna", "Anna again")
	s.end()

	var folded []string // by one goroutine: the events are of one aggregate; none where a snapshot has them all
	h.folds = func(name string) { folded = append(folded, name) }
	s = h.start(t.TempDir(), nil, h.owner())
	got, err := h.ask.Call(bounded(t), s.Client(), "anna", &peoplepb.Ask{})
	if err != nil || got.Name != "Anna again" || got.Orders != 2 {
		t.Errorf("a recovery comes to %v, %v", got, err)
	}
	s.end()
	if slices.Contains(folded, "Anna") {
		t.Errorf("a recovery folded the names %q", folded)
	}
}
