package muster_test

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
)

func TestTokenRoundTrips(t *testing.T) {
	for _, p := range []muster.Position{
		{Topic: "a"},
		{Topic: "accounts.events", Partition: 3, Offset: 41},
		{Topic: strings.Repeat("x", 249), Partition: math.MaxInt32, Offset: math.MaxInt64},
	} {
		token := p.Token()
		if strings.Trim(token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			t.Errorf("%s: the token %q does not fit a header or a URL", p, token)
		}
		if got, err := muster.ParseToken(token); err != nil || got != p {
			t.Errorf("got %s, %v; want %s", got, err, p)
		}
	}
	if p := (muster.Position{Topic: "accounts.events", Partition: 3, Offset: 41}); p.String() != "accounts.events[3]@41" || p.IsZero() {
		t.Errorf("got %s, zero %v", p, p.IsZero())
	}
	if !(muster.Position{}).IsZero() {
		t.Error("the zero position is not zero")
	}
}

func TestParseTokenRefuses(t *testing.T) {
	sound := muster.Position{Topic: "accounts.events", Partition: 3, Offset: 41}.Token()
	raw := func(b ...byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	for name, token := range map[string]string{
		"empty": "", "no base64": "!!", "padded": sound + "=", "newline inside": sound[:4] + "\n" + sound[4:], "blank": " " + sound,
		"no format": raw(), "format 0": raw(0, 3, 41, 'a'), "format 2": raw(2, 3, 41, 'a'), "only format": raw(1), "no offset": raw(1, 3),
		"no topic": raw(1, 3, 41), "partition beyond 31 bits": raw(1, 0x80, 0x80, 0x80, 0x80, 0x08, 1, 'a'),
		"offset beyond 63 bits": raw(1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 'a'),
		"endless":               raw(1, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1),
		"longer than it must":   raw(1, 0x83, 0x00, 41, 'a'), "huge": raw(append([]byte{1, 3, 41}, make([]byte, 1000)...)...),
	} {
		p, err := muster.ParseToken(token)
		if muster.CodeOf(err) != muster.InvalidArgument || p != (muster.Position{}) {
			t.Errorf("%s: got %s, %v", name, p, err)
		}
	}
}

// What ParseToken takes is what Token wrote, character for character: one position has one token.
func FuzzParseToken(f *testing.F) {
	f.Add("")
	f.Add(muster.Position{Topic: "accounts.events", Partition: 3, Offset: 41}.Token())
	f.Add(muster.Position{Topic: "a", Partition: math.MaxInt32, Offset: math.MaxInt64}.Token())
	f.Fuzz(func(t *testing.T, token string) {
		p, err := muster.ParseToken(token)
		if err != nil {
			if muster.CodeOf(err) != muster.InvalidArgument {
				t.Errorf("%q: %v", token, err)
			}
			return
		}
		if p.Partition < 0 || p.Offset < 0 || p.Topic == "" || p.Token() != token {
			t.Errorf("%q gives %s, whose token is %q", token, p, p.Token())
		}
	})
}
