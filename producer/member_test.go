package producer_test

import (
	"context"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// The broker itself refuses the offsets of a member that has left, with no fault injected.
func TestFormerMemberIsFenced(t *testing.T) {
	b := newBed(t, 1)
	b.join("one")
	lane := b.open().Lane(0)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
	want(t, lane.Commit(t.Context(), &muster.Decision{Offsets: []muster.Progress{{Partition: 2, Next: 5}}}), nil)

	b.claims.claim.Generation++ // as a zombie's differs from the group's
	want(t, lane.Commit(t.Context(), b.decide("c2", 1)), muster.ErrFenced)
	want(t, lane.Commit(t.Context(), &muster.Decision{Offsets: []muster.Progress{{Partition: 2, Next: 6}}}), muster.ErrFenced)
	b.claims.claim.Generation--

	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	if err := b.evict(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	want(t, lane.Commit(t.Context(), b.decide("c2", 1)), muster.ErrFenced)
	if keys := b.keys("c2"); len(keys) != 0 || b.hidden(1) || b.consumed(2) != 5 {
		t.Errorf("visible: %v; hidden: %v; consumed up to %d", keys, b.hidden(1), b.consumed(2))
	}
}
