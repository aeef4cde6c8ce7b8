package crypto_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// An echo is what a reader decodes of the very bytes that were written, for every way in which a payload can be sealed, or not be.
func TestAnEchoIsWhatAReaderDecodes(t *testing.T) {
	type note struct{ Of, Text string }
	w := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{
			crypto.Whole(func(n note) string { return n.Of }),
			crypto.Remainder(func(p *personpb.Person) *personpb.Person { return &personpb.Person{Born: p.GetBorn() / 10 * 10} }),
		}
	})
	for name, v := range map[string]any{
		"fields of a message": anna(), "fields of a struct": splitAnna(), "whole": note{"u-1", "text"}, "no personal fields": &personpb.Item{Sku: "x"},
		"raw": muster.Raw("raw"), "raw that looks sealed": muster.Raw(muster.SealedMark + "\x01 and more"), "nothing personal in it": &personpb.Person{Visits: 3},
		"several subjects": &personpb.Transfer{From: "anna", To: "bert", FromName: "Anna", ToName: "Bert", Amount: 5},
	} {
		place, fresh := eventAt("p-1", 1), func() any {
			return reflect.New(reflect.Indirect(reflect.ValueOf(v)).Type()).Interface()
		}
		echo, read := fresh(), fresh()
		data, content, withheld, err := w.Echo([]byte("before"), place, v, echo)
		if err != nil || withheld.Access != muster.AccessOpen {
			t.Fatalf("%s: %v, %v", name, withheld, err)
		}
		place.ContentType = content
		if err := w.Decode(place, []byte(strings.TrimPrefix(string(data), "before")), read); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		equal := reflect.DeepEqual(echo, read)
		if m, is := read.(proto.Message); is {
			equal = proto.Equal(echo.(proto.Message), m)
		}
		if got, _ := json.Marshal(read); !equal || len(got) < 3 {
			t.Errorf("%s: the echo is %v, a reader gets %v", name, echo, read)
		}
	}
}

// An echo opens nothing and asks for no other key than an encoding does.
func TestAnEchoOpensNothing(t *testing.T) {
	w := openCodec(t)
	if _, _, _, err := w.Echo(nil, eventAt("p-1", 1), anna(), &personpb.Person{}); err != nil {
		t.Fatal(err)
	}
	if s := w.Stats(); s.Opened != 0 || s.Sealed == 0 {
		t.Errorf("opened %d, sealed %d", s.Opened, s.Sealed)
	}
	w.store.destroy(t, w.Ref("p-1"))
	if _, _, _, err := w.Echo(nil, eventAt("p-1", 2), anna(), &personpb.Person{}); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("for an erased subject: %v", err)
	}
}
