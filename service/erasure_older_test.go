package service_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
)

// An instance that was away while somebody was erased shows nothing of its older rows, whenever it comes to replace them beside its work: what an owner
// has derived of the erased one lies in clear there.
func TestOlderRowsAreShownToNobody(t *testing.T) {
	h, old := newErasureHouse(t), t.TempDir()
	first := h.start(old, nil, h.owner())
	h.signsUp(first, "anna", "Anna")
	h.signsUp(first, "bert", "Bert")
	first.end()
	second := h.start(t.TempDir(), nil, h.owner())
	h.erases(second, "anna")
	second.end()

	asked := make(chan struct{})
	third := h.start(old, func(name string) {
		if name == "erasing-folded" {
			<-asked
		}
	}, h.owner())
	got, err := h.ask.Call(bounded(t), third.Client(), "anna", &peoplepb.Ask{})
	close(asked)
	if err != nil || got.Letters != 0 || got.Orders != 1 || got.City != "Bern" {
		t.Errorf("of the erased one the owner has %v, %v", got, err)
	}
	h.wantErased(third, nil, "anna", "bert")
}

// An owner that begins with an empty disk behind a person who came back still carries out what is asked of it: that person's new data is no reason to wait.
func TestErasuresGoOnBesideOneWhoCameBack(t *testing.T) {
	h := newErasureHouse(t, muster.Partitions(1))
	s := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(s, "anna", "Anna")
	h.signsUp(s, "bert", "Bert")
	h.comesBack(s, "anna", "Anna again")
	s.end()

	s = h.start(t.TempDir(), nil, h.owner())
	h.erases(s, "bert")
	h.wantErased(s, nil, "bert", "anna")
}
