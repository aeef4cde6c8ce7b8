package projector_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

func letterExample() projector.Letter {
	return projector.Letter{
		ID: "accounts.events[3]@41", Kind: projector.Parked, Key: "accounts/1", Reason: projector.ReasonHandler, Cause: "no", Attempts: 5, At: time.Unix(1, 2).UTC(),
		Event: muster.Event{
			Meta: muster.Meta{
				ID: "c/1", Type: "bank.Credited", Group: "accounts", AggregateID: "1", Revision: 1 << 63, Time: time.Unix(3, 4).UTC(), CorrelationID: "r",
				CausationID: "c", ContentType: muster.ContentJSON, DataSchema: "s", TraceParent: "p", TraceState: "t",
				Headers: muster.Headers{{Key: "a", Value: []byte{0, 255}}, {Key: "b"}}, Topic: "accounts.events", Partition: 3, Offset: 41, Attempt: 1,
			},
			Payload: []byte{}, Index: 1, Count: 2, Answer: []byte{1}, Fingerprint: 7,
		},
	}
}

// The bytes of each record are a promise to later builds.
func TestStoreBytes(t *testing.T) {
	letter := letterExample()
	order, back, err := projector.DecodeLetter(letter.ID, projector.EncodeLetter(nil, 9, &letter))
	if err != nil || order != 9 || !reflect.DeepEqual(back, letter) {
		t.Fatalf("a letter came back as %d %+v, %v", order, back, err)
	}
	for what, got := range map[string][]byte{
		"\x01\x02\x01\x00\x03ann{}":                     projector.EncodeRow("{}", muster.ContentJSON, "ann"),
		"\x01\x01\x00":                                  projector.EncodeRow("", muster.ContentProtobuf),
		"\x01\x00\x06text/x\x00hi":                      projector.EncodeRow("hi", "text/x"),
		"\x00\x00\x00\x07\x06\x02a\x00\xffb\x00\x01key": projector.EntryKey(7, 2, "a\x00b", "key"),
		"\x00\x00\x00\x07\x05key":                       projector.RowKey(7, "key"),
		"MUSTER-VIEWS\x00\x01":                          projector.EncodeStoreFormat(1),
		"\x01\x02\x01a\x02bc":                           projector.EncodeIndexes(nil, []string{"a", "bc"}),
	} {
		if string(got) != what {
			t.Errorf("the bytes are %q, want %q", got, what)
		}
	}
}

// Whatever lies in a record, a decoder gives an error or what encodes to the same.
func FuzzStoreRecords(f *testing.F) {
	letter := letterExample()
	for _, b := range [][]byte{
		nil, projector.EncodeRow("{}", muster.ContentJSON, "ann", "bob"), projector.EncodeRow("x", "text/x"), projector.EntryKey(7, 2, "a\x00b", "key"),
		projector.EncodeStoreFormat(1), projector.EncodeIndexes(nil, []string{"a"}), projector.EncodeLetter(nil, 3, &letter),
		append([]byte{1}, make([]byte, 24)...), append([]byte{1}, make([]byte, 50)...),
	} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, rewrite := range map[string]func([]byte) ([]byte, error){
			"row": projector.RewriteRow, "meta": projector.RewriteMeta, "checkpoint": projector.RewriteCheckpoint, "entry": projector.RewriteEntry,
			"shard": projector.RewriteShard, "source": projector.RewriteSource,
		} {
			once, err := rewrite(b)
			if err != nil {
				continue
			}
			if name == "entry" || name == "meta" || name == "checkpoint" {
				if !bytes.Equal(once, b) {
					t.Fatalf("%s: %q became %q", name, b, once)
				}
				continue
			}
			if twice, err := rewrite(once); err != nil || !bytes.Equal(once, twice) { // varints have several spellings
				t.Fatalf("%s: %q became %q and then %q, %v", name, b, once, twice, err)
			}
		}
		if order, l, err := projector.DecodeLetter("id", b); err == nil {
			again := projector.EncodeLetter(nil, order, &l)
			if o, m, err := projector.DecodeLetter("id", again); err != nil || o != order || !reflect.DeepEqual(l, m) {
				t.Fatalf("a letter became %+v and then %+v, %v", l, m, err)
			}
		}
		_ = projector.DecodeNumber(b)
		_, _ = projector.DecodeCounter(b)
		_, _ = projector.DecodeIndexes(b)
		_ = projector.DecodeStoreFormat(b)
	})
}
