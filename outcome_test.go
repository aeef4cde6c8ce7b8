package muster_test

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

func fullOutcome(t testing.TB) *muster.Outcome {
	t.Helper()
	detail, err := anypb.New(wrapperspb.UInt64(7))
	if err != nil {
		t.Fatal(err)
	}
	return &muster.Outcome{
		Code: muster.Aborted, Reason: "conflict", Message: "é", Details: []*anypb.Any{detail, {}}, Retry: true, ContentType: "text/plain", Payload: []byte{0, 255},
		Revision: math.MaxUint64, Position: muster.Position{Topic: "accounts.events", Partition: math.MaxInt32, Offset: math.MaxInt64}, Repeated: true, Omitted: true,
	}
}

func TestOutcomeRoundTrips(t *testing.T) {
	for name, o := range map[string]*muster.Outcome{"zero": {}, "full": fullOutcome(t)} {
		got, err := muster.DecodeOutcome(o.Encode([]byte(nil)))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(got.Details) != len(o.Details) {
			t.Fatalf("%s: %d details", name, len(got.Details))
		}
		for i := range got.Details {
			if got.Details[i].TypeUrl != o.Details[i].TypeUrl || !bytes.Equal(got.Details[i].Value, o.Details[i].Value) {
				t.Errorf("%s: detail %v, want %v", name, got.Details[i], o.Details[i])
			}
		}
		want := *o
		got.Details, want.Details = nil, nil
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%s: got %+v, want %+v", name, *got, want)
		}
	}
	if data := (&muster.Outcome{}).Encode([]byte("before")); !bytes.HasPrefix(data, []byte("before")) {
		t.Error("Encode must append")
	}
}

// The bytes are a format: an outcome written by 0.1 is read by every later build. Fields 1 to 3 are google.rpc.Status.
func TestOutcomeBytes(t *testing.T) {
	o := &muster.Outcome{Code: muster.NotFound, Message: "no", Reason: "r", Payload: []byte("p"), Revision: 3}
	want := []byte{0x08, 5, 0x12, 2, 'n', 'o', 0x20, 1, 0x2a, 1, 'r', 0x42, 1, 'p', 0x48, 3}
	if got := o.Encode(nil); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestDecodeOutcomeRefuses(t *testing.T) {
	sound := (&muster.Outcome{Code: muster.NotFound, Message: "no"}).Encode(nil)
	newer := protowire.AppendVarint(protowire.AppendTag(bytes.Clone(sound), 4, protowire.VarintType), 2)
	for name, data := range map[string][]byte{
		"empty": {}, "no format": {0x08, 5}, "newer format": newer, "cut": sound[:len(sound)-3], "no tag": {0x80}, "field 0": {0x00, 1},
		"length beyond": {0x12, 200, 1}, "bad details": append(bytes.Clone(sound), 0x1a, 1, 0xff), "end group": {0x0c},
	} {
		if o, err := muster.DecodeOutcome(data); err == nil {
			t.Errorf("%s: got %+v", name, o)
		}
	}
	wants(t, func() error { _, err := muster.DecodeOutcome(newer); return err }(), "format 2", "newer")
	unknown := protowire.AppendString(protowire.AppendTag(bytes.Clone(sound), 99, protowire.BytesType), "later")
	unknown = protowire.AppendFixed32(protowire.AppendTag(unknown, 98, protowire.Fixed32Type), 1)
	if o, err := muster.DecodeOutcome(unknown); err != nil || o.Message != "no" {
		t.Errorf("unknown fields are passed over: %+v, %v", o, err)
	}
}

func FuzzDecodeOutcome(f *testing.F) {
	f.Add([]byte{})
	f.Add((&muster.Outcome{}).Encode(nil))
	f.Add(fullOutcome(f).Encode(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := muster.DecodeOutcome(data)
		if err != nil {
			return
		}
		once := o.Encode(nil)
		again, err := muster.DecodeOutcome(once)
		if err != nil {
			t.Fatalf("what Encode wrote cannot be read: %v", err)
		}
		if twice := again.Encode(nil); !bytes.Equal(once, twice) {
			t.Errorf("not stable:\n%x\n%x", once, twice)
		}
		if again.Code != o.Code || again.Revision != o.Revision || again.Position != o.Position || !bytes.Equal(again.Payload, o.Payload) || (o.Err() == nil) != (o.Code == muster.OK) {
			t.Errorf("got %+v, want %+v", again, o)
		}
	})
}
