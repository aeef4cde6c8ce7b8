package producer_test

import (
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
)

func TestOpenAbortsLeftoversOfTheSameInstance(t *testing.T) {
	b := newBed(t, 1)
	b.leave("accounts/one/1/2", 3) // a lane that is not used below
	if !b.hidden(3) {
		t.Fatal("nothing was left open")
	}
	b.open(func(c *producer.Config) { c.Lanes, c.Slots = 2, 4 })
	if b.hidden(3) {
		t.Error("the leftover is still open")
	}
	if n := len(b.committed(b.group.JournalTopic(""))); n != 0 {
		t.Errorf("%d records of the leftover are visible", n)
	}
}

// A predecessor that still runs loses its ids to the new one.
func TestOpenTakesTheIDsFromARunningPredecessor(t *testing.T) {
	b := newBed(t, 1)
	old := b.open().Lane(0)
	b.warm(old, 2)
	successor := b.open().Lane(0)
	want(t, old.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	want(t, old.Commit(t.Context(), b.decide("c1", 1)), muster.ErrFenced)
	if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) {
		t.Errorf("visible: %v; hidden: %v", keys, b.hidden(1))
	}
	_ = successor
}

func TestFenceLeftovers(t *testing.T) {
	b := newBed(t, 3)
	p := b.open()
	b.leave("accounts/two/0/1", 1)   // dead
	b.leave("accounts/three/0/0", 1) // alive
	b.leave("accounts/one/9/0", 1)   // of a run of ours with more lanes
	b.leave("accounts/one/0/1", 1)   // ours; never a leftover while we run
	b.leave("accounts-x/two/0/0", 1) // of another group
	b.leave("accounts/four/0/0", 2)  // dead, on another partition

	fenced, err := p.FenceLeftovers(t.Context(), 1, []string{"one", "three"})
	if err != nil {
		t.Fatal(err)
	}
	if expected := []string{"accounts/one/9/0", "accounts/two/0/1"}; !slices.Equal(fenced, expected) {
		t.Errorf("fenced %v, want %v", fenced, expected)
	}
	if !b.hidden(1) || !b.hidden(2) {
		t.Error("transactions of the living, or of other partitions, were ended")
	}
	fenced, err = p.FenceLeftovers(t.Context(), 1, []string{"one"})
	if err != nil || !slices.Equal(fenced, []string{"accounts/three/0/0"}) {
		t.Errorf("fenced %v, %v after instance three died", fenced, err)
	}
	if fenced, err = p.FenceLeftovers(t.Context(), 5, nil); err != nil || len(fenced) != 0 {
		t.Errorf("fenced %v, %v where nothing is open", fenced, err)
	}
	if _, err = p.FenceLeftovers(t.Context(), 99, nil); err == nil {
		t.Error("no error for a partition that does not exist")
	}
}

// A transaction need not have touched the journal to hold up the group's offsets.
func TestFenceDead(t *testing.T) {
	b := newBed(t, 3)
	p := b.open()
	b.leave("accounts/two/0/1", 1)   // dead
	b.leave("accounts/four/0/0", 2)  // dead, too
	b.leave("accounts/three/0/0", 1) // alive
	b.leave("accounts/one/0/1", 1)   // ours
	b.leave("accounts-x/two/0/0", 1) // of another group
	fenced, err := p.FenceDead(t.Context(), []string{"one", "three"})
	if expected := []string{"accounts/four/0/0", "accounts/two/0/1"}; err != nil || !slices.Equal(fenced, expected) {
		t.Errorf("fenced %v, %v; want %v", fenced, err, expected)
	}
	if b.hidden(2) || !b.hidden(1) {
		t.Error("what the dead left is still open, or what the living have is not")
	}
}
