package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func aState() *muster.StoredState {
	return &muster.StoredState{AggregateID: "acc-1", Revision: 7, Offset: 4711, Data: []byte(`{"balance":250}`)}
}

func aPass() *muster.SnapshotPass {
	return &muster.SnapshotPass{
		Partition: home, Journal: 4712, Answers: 4000, LastEvent: "c7/0", LastAt: 4711, TopicID: [16]byte{1, 2, 15: 16}, States: 3, Time: at,
	}
}

func passRecord(t testing.TB, p *muster.SnapshotPass) *kgo.Record {
	t.Helper()
	r, err := kafka.EncodeSnapshotPass(accounts, p, "accounts.snapshots")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSnapshotOnTheWire(t *testing.T) {
	golden(t, "snapshot.txt", "a state in the snapshots topic", kafka.EncodeSnapshot(accounts, home, aState(), "accounts.snapshots"))
	got, pass, err := kafka.DecodeSnapshot(load(t, "snapshot.txt"), accounts)
	if err != nil || pass != nil {
		t.Fatal(pass, err)
	}
	if diff := cmp.Diff(*aState(), got); diff != "" {
		t.Error(diff)
	}
}

func TestSnapshotPassOnTheWire(t *testing.T) {
	golden(t, "snapshot-pass.txt", "a pass: the snapshots are complete up to a journal offset", passRecord(t, aPass()))
	_, got, err := kafka.DecodeSnapshot(load(t, "snapshot-pass.txt"), accounts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aPass(), got, same); diff != "" {
		t.Error(diff)
	}
	if muster.CheckAggregateID(string(passRecord(t, aPass()).Key)) == nil {
		t.Error("the key of a pass could be an aggregate's")
	}
}

// A state without bytes is no tombstone.
func TestEmptySnapshotIsNoTombstone(t *testing.T) {
	s := aState()
	s.Data = nil
	r := kafka.EncodeSnapshot(accounts, home, s, "accounts.snapshots")
	if r.Value == nil {
		t.Fatal("an empty state was written as a tombstone")
	}
	if got, _, err := kafka.DecodeSnapshot(r, accounts); err != nil || got.Revision != 7 || got.Data == nil {
		t.Errorf("%+v, %v", got, err)
	}
	r.Value = nil
	if _, _, err := kafka.DecodeSnapshot(r, accounts); !errors.Is(err, kafka.ErrTombstone) {
		t.Errorf("a null value: %v", err)
	}
}

// Whatever is changed in a snapshot is noticed.
func TestSpoiltSnapshots(t *testing.T) {
	state := func() *kgo.Record { return kafka.EncodeSnapshot(accounts, home, aState(), "accounts.snapshots") }
	for name, row := range map[string]struct {
		spoil func(*kgo.Record) *kgo.Record
		text  string
	}{
		"value":          {func(r *kgo.Record) *kgo.Record { r.Value = []byte(`{"balance":251}`); return r }, "checksum"},
		"key":            {func(r *kgo.Record) *kgo.Record { r.Key = []byte("acc-2"); return r }, "checksum"},
		"revision":       {func(r *kgo.Record) *kgo.Record { header(r, "ce_sequence", []byte("8")); return r }, "checksum"},
		"no revision":    {func(r *kgo.Record) *kgo.Record { header(r, "ce_sequence", nil); return r }, "checksum"},
		"offset":         {func(r *kgo.Record) *kgo.Record { header(r, "muster-offset", []byte("4712")); return r }, "checksum"},
		"sum":            {func(r *kgo.Record) *kgo.Record { header(r, "muster-sum", []byte("zz")); return r }, "checksum"},
		"format":         {func(r *kgo.Record) *kgo.Record { header(r, "muster-format", []byte("2")); return r }, "newer"},
		"other group":    {func(r *kgo.Record) *kgo.Record { header(r, "ce_source", []byte("tills")); return r }, "tills"},
		"wrong place":    {func(r *kgo.Record) *kgo.Record { r.Partition++; return r }, "belongs into partition"},
		"pass":           {func(*kgo.Record) *kgo.Record { r := passRecord(t, aPass()); r.Value[3]++; return r }, "checksum"},
		"absurd pass":    {func(*kgo.Record) *kgo.Record { p := aPass(); p.Answers = 9999; return passRecord(t, p) }, "contradicts"},
		"a pass's value": {func(r *kgo.Record) *kgo.Record { r.Value = passRecord(t, aPass()).Value; return r }, "checksum"},
	} {
		_, _, err := kafka.DecodeSnapshot(row.spoil(state()), accounts)
		if muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), row.text) || strings.Contains(err.Error(), "balance") {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := state()
	header(r, "muster-format", nil)
	if _, _, err := kafka.DecodeSnapshot(r, accounts); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("without format: %v", err)
	}
}

func FuzzDecodeSnapshot(f *testing.F) {
	seed(f, kafka.EncodeSnapshot(accounts, home, aState(), "accounts.snapshots"), passRecord(f, aPass()), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		s, pass, err := kafka.DecodeSnapshot(input("accounts.snapshots", key, value, null, flat, partition), accounts)
		if err != nil {
			if !errors.Is(err, kafka.ErrForeign) && !errors.Is(err, kafka.ErrTombstone) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		if pass != nil {
			if _, again, err := kafka.DecodeSnapshot(passRecord(t, pass), accounts); err != nil || again.Journal != pass.Journal {
				t.Fatalf("%+v came back as %+v, %v", pass, again, err)
			}
			return
		}
		again, _, err := kafka.DecodeSnapshot(kafka.EncodeSnapshot(accounts, partition, &s, "accounts.snapshots"), accounts)
		if err != nil || !cmp.Equal(s, again) {
			t.Fatalf("%+v came back as %+v, %v", s, again, err)
		}
	})
}

// Whose data an aggregate has travels with its snapshot, and is as safe from damage as the rest.
func TestSubjectsOfASnapshot(t *testing.T) {
	s := aState()
	s.Subjects = []muster.SubjectRef{{1, 2, 15: 3}, {4}}
	r := kafka.EncodeSnapshot(accounts, home, s, "accounts.snapshots")
	got, _, err := kafka.DecodeSnapshot(r, accounts)
	s.Unindexed = 2 // nobody has them in an index yet
	if diff := cmp.Diff(*s, got); err != nil || diff != "" {
		t.Fatal(err, diff)
	}
	for i := range r.Headers {
		if r.Headers[i].Key == "muster-subjects" {
			r.Headers[i].Value[0] ^= 1
		}
	}
	if _, _, err := kafka.DecodeSnapshot(r, accounts); err == nil {
		t.Error("a subject was changed, and nobody noticed")
	}
}
