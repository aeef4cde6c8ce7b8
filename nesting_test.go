package muster_test

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/seed-3eec0498/muster"
)

// What is nested too deeply to be decoded is not encoded, and everything else is: through messages in fields and lists, and through maps.
func TestNestingIsBoundedOnBothSides(t *testing.T) {
	for name, nest := range map[string]struct {
		one   func() proto.Message
		again func(inner proto.Message) proto.Message
		empty proto.Message
	}{
		"fields and lists": {
			one: func() proto.Message { return structpb.NewNullValue() },
			again: func(inner proto.Message) proto.Message {
				return structpb.NewListValue(&structpb.ListValue{Values: []*structpb.Value{inner.(*structpb.Value)}})
			},
			empty: &structpb.Value{},
		},
		"maps": {
			one: func() proto.Message { return structpb.NewNullValue() },
			again: func(inner proto.Message) proto.Message {
				return structpb.NewStructValue(&structpb.Struct{Fields: map[string]*structpb.Value{"k": inner.(*structpb.Value)}})
			},
			empty: &structpb.Value{},
		},
		"messages of one type": {
			one: func() proto.Message { return &descriptorpb.DescriptorProto{} },
			again: func(inner proto.Message) proto.Message {
				return &descriptorpb.DescriptorProto{NestedType: []*descriptorpb.DescriptorProto{{}, inner.(*descriptorpb.DescriptorProto)}}
			},
			empty: &descriptorpb.DescriptorProto{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			place := muster.Place{Purpose: muster.PurposeState, Type: "deep"}
			m, refused := nest.one(), 0
			for range 120 {
				bytes, err := proto.Marshal(m)
				if err != nil {
					t.Fatal(err)
				}
				into := proto.Clone(nest.empty)
				reads := muster.PlainCodec{}.Decode(place, bytes, into) == nil
				_, _, err = muster.PlainCodec{}.Encode(nil, place, m)
				if (err == nil) != reads {
					t.Fatalf("encoded: %v, decoded: %t", err, reads)
				}
				if err != nil {
					refused++
					if !strings.Contains(err.Error(), "nested more than 100 levels deep") {
						t.Fatal(err)
					}
				}
				m = nest.again(m)
			}
			if refused == 0 || refused == 120 {
				t.Errorf("%d of 120 were refused", refused)
			}
		})
	}
}
