package muster_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/seed-3eec0498/muster"
)

func TestNameLimits(t *testing.T) {
	for name, check := range map[string]struct {
		fn  func(string) error
		max int
	}{
		"aggregate id": {muster.CheckAggregateID, 200}, "command id": {muster.CheckCommandID, 64}, "type": {muster.CheckType, 200},
	} {
		for _, sound := range []string{"a", "acc-1", "user 7/ü", "日本", strings.Repeat("x", check.max), "~!{}"} {
			if err := check.fn(sound); err != nil {
				t.Errorf("%s %q: %v", name, sound, err)
			}
		}
		for _, bad := range []string{
			"", strings.Repeat("x", check.max+1), strings.Repeat("é", check.max/2+1), "a\x00", "\t", "a\nb", "\x7f", "a\u0085", "\xff", "a\u200b", "\u202e", "\u2028",
		} {
			err := check.fn(bad)
			if muster.CodeOf(err) != muster.InvalidArgument || muster.ReasonOf(err) == "" || !strings.Contains(err.Error(), name) {
				t.Errorf("%s %q: %v", name, bad, err)
			}
		}
	}
}

func TestHeaderLimits(t *testing.T) {
	many := make(muster.Headers, 64)
	for i := range many {
		many[i].Key = "k"
	}
	for name, test := range map[string]struct {
		h      muster.Headers
		reason string
	}{
		"none": {nil, ""}, "64": {many, ""}, "65": {append(many, muster.Header{Key: "k"}), muster.ReasonTooManyHeads},
		"16 KiB":   {muster.Headers{{Key: "kk", Value: make([]byte, 16<<10-2)}}, ""},
		"a byte":   {muster.Headers{{Key: "kk", Value: make([]byte, 16<<10-1)}}, muster.ReasonHeadsTooBig},
		"sum":      {muster.Headers{{Key: "a", Value: make([]byte, 8<<10)}, {Key: "b", Value: make([]byte, 8<<10)}}, muster.ReasonHeadsTooBig},
		"binary":   {muster.Headers{{Key: "é", Value: []byte{0, 255}}}, ""},
		"no key":   {muster.Headers{{Value: []byte("x")}}, muster.ReasonReserved},
		"no UTF-8": {muster.Headers{{Key: "\xff"}}, muster.ReasonReserved},
		"muster-":  {muster.Headers{{Key: "muster-reply-to"}}, muster.ReasonReserved}, "ce_": {muster.Headers{{Key: "ce_id"}}, muster.ReasonReserved},
		"content": {muster.Headers{{Key: "content-type"}}, muster.ReasonReserved}, "trace": {muster.Headers{{Key: "traceparent"}}, muster.ReasonReserved},
		"state": {muster.Headers{{Key: "tracestate"}}, muster.ReasonReserved}, "like ours": {muster.Headers{{Key: "must"}, {Key: "cert"}, {Key: "x-ce_id"}}, ""},
	} {
		if err := muster.CheckHeaders(test.h); muster.ReasonOf(err) != test.reason || (err == nil) != (test.reason == "") {
			t.Errorf("%s: %v, want reason %q", name, err, test.reason)
		}
	}
}

func TestHeadersGet(t *testing.T) {
	h := muster.Headers{{Key: "a", Value: []byte("1")}, {Key: "b"}, {Key: "a", Value: []byte("2")}}
	if v, ok := h.Get("a"); !ok || !bytes.Equal(v, []byte("1")) {
		t.Errorf("got %q, %v", v, ok)
	}
	if v, ok := h.Get("b"); !ok || v != nil {
		t.Errorf("got %q, %v", v, ok)
	}
	if _, ok := h.Get("c"); ok || len(h.Values("c")) != 0 {
		t.Error("found what is not there")
	}
	if v := h.Values("a"); len(v) != 2 || !bytes.Equal(v[1], []byte("2")) {
		t.Errorf("got %q", v)
	}
}

func FuzzCheckAggregateID(f *testing.F) {
	for _, seed := range []string{"", "acc-1", "ü", "\x00", "\xff", "a\u200b", strings.Repeat("x", 201)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, id string) {
		printable := id != "" && len(id) <= 200 && utf8.ValidString(id) && strings.IndexFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
		if err := muster.CheckAggregateID(id); (err == nil) != printable {
			t.Errorf("%q: %v", id, err)
		} else if err != nil && !utf8.ValidString(err.Error()) {
			t.Errorf("%q: the error is no text: %q", id, err)
		}
	})
}

func FuzzCheckHeaders(f *testing.F) {
	f.Add("tenant", []byte("eu"), 1)
	f.Add("muster-reply-to", []byte("x"), 64)
	f.Add("", []byte(nil), 65)
	f.Fuzz(func(t *testing.T, key string, value []byte, n int) {
		h := make(muster.Headers, 0, 70)
		for range min(max(n, 0), 70) {
			h = append(h, muster.Header{Key: key, Value: value})
		}
		err := muster.CheckHeaders(h)
		sound := len(h) <= 64 && len(h)*(len(key)+len(value)) <= 16<<10
		if len(h) > 0 {
			sound = sound && key != "" && utf8.ValidString(key) && !muster.ReservedHeader(key)
		}
		if (err == nil) != sound || err != nil && muster.CodeOf(err) != muster.InvalidArgument {
			t.Errorf("%d times %q with %d bytes: %v", len(h), key, len(value), err)
		}
	})
}
