package producer_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// The mark lies in front of the tombstones, in their partition; who is not the owner any more removes nothing.
func TestTrimIsWrittenByTheOwner(t *testing.T) {
	b := newBed(t, 1)
	p := b.open()
	gone := []muster.EventKey{{AggregateID: "a", Revision: 1}, {AggregateID: "b/c", Revision: 2}}
	mark := &muster.TrimMark{Partition: 4, Snapshots: 7}
	want(t, p.WriteTrim(t.Context(), mark, gone), nil)
	b.claims.fail(muster.ErrFenced)
	want(t, p.WriteTrim(t.Context(), mark, []muster.EventKey{{AggregateID: "a", Revision: 2}}), muster.ErrFenced)
	b.claims.fail(nil)
	records := b.committed(b.group.JournalTopic(""))
	if len(records) != 3 {
		t.Fatalf("%d records, want the mark and two tombstones: %v", len(records), records)
	}
	if got, err := kafka.DecodeTrimMark(records[0], b.group); err != nil || got == nil || got.Snapshots != 7 {
		t.Errorf("mark %+v, %v", got, err)
	}
	for i, r := range records[1:] {
		if got, is := kafka.DecodeTombstone(r); !is || got != gone[i] || r.Partition != 4 {
			t.Errorf("tombstone %d: %+v, %v, in partition %d", i, got, is, r.Partition)
		}
	}
}
