package kafka_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func aTrimMark() *muster.TrimMark {
	return &muster.TrimMark{Partition: home, Before: 4000, Pass: 4712, Snapshots: 12, Time: at}
}

func trimRecord(t testing.TB, m *muster.TrimMark) *kgo.Record {
	t.Helper()
	r, err := kafka.EncodeTrimMark(accounts, m, "accounts.events")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTrimMarkOnTheWire(t *testing.T) {
	golden(t, "trim-mark.txt", "a mark of trimming: events before a journal offset were removed", trimRecord(t, aTrimMark()))
	r := load(t, "trim-mark.txt")
	r.Offset = 4800
	got, err := kafka.DecodeTrimMark(r, accounts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(aTrimMark(), got, same); diff != "" {
		t.Error(diff)
	}
	if _, err := kafka.DecodeEvent(r, accounts); !errors.Is(err, kafka.ErrTombstone) {
		t.Errorf("as an event: %v; want to be told to pass over it", err)
	}
	if muster.CheckAggregateID(string(r.Key)) == nil {
		t.Error("the key of a mark could be an aggregate's")
	}
}

// A mark that lies is refused, for a recovery believes it.
func TestTrimMarkSpoilt(t *testing.T) {
	for name, spoil := range map[string]func(*kgo.Record){
		"sum":     func(r *kgo.Record) { r.Value[12] ^= 1 },
		"source":  func(r *kgo.Record) { r.Headers[0].Value = []byte("others") },
		"its end": func(r *kgo.Record) { r.Offset = 3999 },
	} {
		r := trimRecord(t, aTrimMark())
		r.Offset = 4800
		spoil(r)
		if m, err := kafka.DecodeTrimMark(r, accounts); muster.CodeOf(err) != muster.DataLoss {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
	if m, err := kafka.DecodeTrimMark(&kgo.Record{Key: []byte("acc-1/7"), Value: []byte("x")}, accounts); m != nil || err != nil {
		t.Errorf("another record: %+v, %v", m, err)
	}
}

func TestTombstone(t *testing.T) {
	for _, key := range []muster.EventKey{{AggregateID: "acc-1", Revision: 7}, {AggregateID: "a/b/3", Revision: 1 << 63}} {
		r := kafka.EncodeTombstone(key, home, "accounts.events")
		event := muster.Event{Meta: muster.Meta{AggregateID: key.AggregateID, Partition: home, Revision: key.Revision}, Count: 1}
		if like := kafka.EncodeEvent(&event, "accounts.events"); string(like.Key) != string(r.Key) || r.Value != nil || r.Partition != home || r.Topic != like.Topic {
			t.Errorf("%+v does not remove the event with the key %s", r, like.Key)
		}
		if got, is := kafka.DecodeTombstone(r); !is || got != key {
			t.Errorf("%+v, %v; want %+v", got, is, key)
		}
	}
	for _, r := range []*kgo.Record{
		{Key: []byte("acc-1/7"), Value: []byte{}},
		{Key: []byte("acc-1")},
		{Key: []byte("/7")},
		{Key: []byte("acc-1/0")},
		{Key: []byte("acc-1/x")},
		{},
	} {
		if got, is := kafka.DecodeTombstone(r); is {
			t.Errorf("%q is a tombstone of %+v", r.Key, got)
		}
	}
}

func FuzzDecodeTrim(f *testing.F) {
	mark := trimRecord(f, aTrimMark())
	f.Add(mark.Key, mark.Value, mark.Headers[1].Value, int64(4800))
	f.Add([]byte("acc-1/7"), []byte(nil), []byte("00000000"), int64(0))
	f.Fuzz(func(t *testing.T, key, value, sum []byte, offset int64) {
		if len(value) == 0 {
			value = nil
		}
		r := &kgo.Record{Topic: "accounts.events", Partition: home, Offset: offset, Key: key, Value: value, Headers: []kgo.RecordHeader{
			{Key: mark.Headers[0].Key, Value: mark.Headers[0].Value}, {Key: mark.Headers[1].Key, Value: sum},
		}}
		m, err := kafka.DecodeTrimMark(r, accounts)
		if err != nil && muster.CodeOf(err) != muster.DataLoss {
			t.Fatalf("unexpected error %v", err)
		}
		if m != nil && (m.Before > offset || m.Before < 0 || m.Pass < 0 || m.Snapshots < 0) {
			t.Fatalf("a mark that cannot be true: %+v", m)
		}
		if e, is := kafka.DecodeTombstone(r); is && (e.Revision == 0 || e.AggregateID == "") {
			t.Fatalf("a tombstone of nothing: %+v", e)
		}
	})
}
