package producer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func someStates(texts ...string) []muster.StoredState {
	var all []muster.StoredState
	for i, text := range texts {
		all = append(all, muster.StoredState{AggregateID: text, Revision: uint64(i + 1), Offset: int64(10 * i), Data: []byte(text)})
	}
	return all
}

// States and pass become visible together, in their order, and the offset that fences them moves.
func TestSnapshotsAreWritten(t *testing.T) {
	b := newBed(t, 3)
	p := b.open()
	pass := &muster.SnapshotPass{Journal: 50, Answers: 20, LastEvent: "c/0", LastAt: 49, States: 3}
	want(t, p.WriteSnapshots(t.Context(), 4, someStates("a", "b"), nil), nil)
	want(t, p.WriteSnapshots(t.Context(), 4, someStates("c"), pass), nil)
	want(t, p.WriteSnapshots(t.Context(), 4, nil, nil), nil)
	records := b.committed(b.group.SnapshotTopic(""))
	if len(records) != 4 || string(records[0].Key) != "a" || string(records[2].Value) != "c" {
		t.Fatalf("records %v", records)
	}
	for _, r := range records {
		if r.Partition != 4 {
			t.Errorf("%q lies in partition %d", r.Key, r.Partition)
		}
	}
	if _, got, err := kafka.DecodeSnapshot(records[3], b.group); err != nil || got == nil || got.Journal != 50 || got.LastEvent != "c/0" {
		t.Errorf("pass %+v, %v", got, err)
	}
	if p.Lanes() != 1 {
		t.Errorf("%d lanes; that of the snapshots is not one of them", p.Lanes())
	}
}

// A member that is not the owner any more writes nothing that could be seen.
func TestSnapshotsOfAFormerMemberAreFenced(t *testing.T) {
	b := newBed(t, 1)
	b.join("one")
	ctx := t.Context()
	p := b.open()
	want(t, p.WriteSnapshots(ctx, 1, someStates("new"), nil), nil)
	b.claims.claim.Generation--
	want(t, p.WriteSnapshots(ctx, 1, someStates("old"), nil), muster.ErrFenced)
	b.claims.fail(muster.ErrFenced)
	want(t, p.WriteSnapshots(ctx, 1, someStates("older"), nil), muster.ErrFenced)
	b.claims.fail(nil)
	b.claims.claim.Generation++
	want(t, p.WriteSnapshots(ctx, 1, someStates("newer"), nil), nil)
	if got := b.committed(b.group.SnapshotTopic("")); len(got) != 2 || string(got[0].Key) != "new" || string(got[1].Key) != "newer" {
		t.Errorf("visible: %v", got)
	}
}

// The end of the context ends the writing; nothing of it is seen, and the next one goes through.
func TestSnapshotsEndWithTheirContext(t *testing.T) {
	b := newBed(t, 1)
	p := b.open()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.WriteSnapshots(ended, 1, someStates("a"), nil); !errors.Is(err, muster.ErrAborted) {
		t.Errorf("got %v", err)
	}
	want(t, p.WriteSnapshots(t.Context(), 1, someStates("b"), nil), nil)
	if got := b.committed(b.group.SnapshotTopic("")); len(got) != 1 || string(got[0].Key) != "b" {
		t.Errorf("visible: %v", got)
	}
	p.Close()
	want(t, p.WriteSnapshots(t.Context(), 1, someStates("c"), nil), muster.ErrAborted)
}
