package muster_test

import (
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/seed-3eec0498/muster"
)

// What the codec reads it can write, and read again as the same: protobuf with nesting and maps, and JSON.
func FuzzPlainDecode(f *testing.F) {
	deep := structpb.NewNullValue()
	for range 60 {
		deep = structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{deep, structpb.NewStringValue("é")}})
	}
	for _, seed := range []proto.Message{deep, structpb.NewNumberValue(1), structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"k": deep}})} {
		bytes, err := proto.Marshal(seed)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(bytes)
	}
	for _, text := range []string{"", "{}", `{"Amount":1,"Text":"x"}`, "null", "[[[[]]]]", "\xff"} {
		f.Add([]byte(text))
	}
	codec, place := muster.PlainCodec{}, muster.Place{Purpose: muster.PurposeCommand, Type: "fuzz"}
	f.Fuzz(func(t *testing.T, data []byte) {
		var message structpb.Value
		if codec.Decode(place, data, &message) == nil {
			again, _, err := codec.Encode(nil, place, &message)
			if err != nil {
				t.Fatalf("read and not written: %v", err)
			}
			var twice structpb.Value
			if err := codec.Decode(place, again, &twice); err != nil || !proto.Equal(&message, &twice) && !sameBytes(again, &twice) {
				t.Fatalf("written and not read as the same: %v", err)
			}
		}
		var plain struct {
			Amount int64
			Text   string
			Inner  map[string][]string
		}
		if codec.Decode(place, data, &plain) == nil {
			if _, _, err := codec.Encode(nil, place, plain); err != nil {
				t.Fatalf("JSON read and not written: %v", err)
			}
		}
	})
}

// sameBytes tells messages that differ by unknown fields' order or by numbers that equal nothing: their bytes decide.
func sameBytes(once []byte, twice *structpb.Value) bool {
	again, _, err := muster.PlainCodec{}.Encode(nil, muster.Place{Type: "fuzz"}, twice)
	return err == nil && string(again) == string(once)
}
