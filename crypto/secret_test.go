package crypto_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// printings gives all ways by which a value comes into a log.
func printings(t *testing.T, v any) string {
	t.Helper()
	var all strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U"} {
		fmt.Fprintf(&all, verb+" ", v)
		fmt.Fprintf(&all, verb+" ", struct{ Inside any }{v})
	}
	text, err := json.Marshal(map[string]any{"it": v})
	if err != nil {
		t.Fatal(err)
	}
	all.Write(text)
	for _, h := range []slog.Handler{slog.NewTextHandler(&all, nil), slog.NewJSONHandler(&all, nil)} {
		slog.New(h).Info("it", "value", v, slog.Group("g", "value", v))
	}
	return all.String()
}

func TestASecretIsNotSeen(t *testing.T) {
	secret := crypto.Secret("hush")
	cfg := crypto.Config{SubjectKey: secret}
	for _, v := range []any{secret, &secret, struct{ Key crypto.Secret }{secret}, cfg, &cfg} {
		if _, isConfig := v.(crypto.Config); isConfig {
			v = fmt.Sprintf("%v %+v %#v", v, v, v)
		}
		if p, isConfig := v.(*crypto.Config); isConfig {
			v = fmt.Sprintf("%v %+v", p, p)
		}
		all := printings(t, v)
		for _, form := range []string{"hush", "68757368", "104 117", "150 165", "aHVzaA"} {
			if strings.Contains(all, form) {
				t.Errorf("%T is seen as %s in %s", v, form, all)
			}
		}
		if !strings.Contains(all, "(set)") {
			t.Errorf("%T: it is not told that it is set: %s", v, all)
		}
	}
	if got := fmt.Sprint(crypto.Secret(nil)); got != "(unset)" {
		t.Error(got)
	}
}

func TestRedactedForLogs(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) { c.Types = []crypto.Declaration{crypto.Whole[map[string]string](nil)} })
	for _, of := range []struct {
		value any
		want  string
	}{
		{anna(), `Bern`},
		{&personpb.Transfer{FromName: "canary", Amount: 7}, `7`},
		{splitAnna(), `"City":"Bern"`},
		{muster.Raw("canary"), "(6 bytes)"},
		{[]byte("canary"), "(6 bytes)"},
		{map[string]string{"canary": "x"}, "(sealed whole)"},
		{&personpb.BadElement{}, "(not shown)"},
		{struct{ A int }{5}, `{"A":5}`},
	} {
		all := printings(t, w.Redacted(of.value))
		if strings.Contains(strings.ToLower(all), "anary") || !strings.Contains(fmt.Sprint(w.Redacted(of.value)), of.want) {
			t.Errorf("%T: %s", of.value, w.Redacted(of.value))
		}
	}
	if got := fmt.Sprint(crypto.Redacted{}); got != "(nothing)" {
		t.Error(got)
	}
}

func TestPseudonymousIDs(t *testing.T) {
	key := bytes.Repeat([]byte{1}, 32)
	one, two := crypto.PseudonymousID(key, "anna@example.com"), crypto.PseudonymousID(key, "bert@example.com")
	if one == two || one != crypto.PseudonymousID(key, "anna@example.com") || one == crypto.PseudonymousID(key[:31], "anna@example.com") {
		t.Error(one, two)
	}
	if err := muster.CheckAggregateID(one); err != nil || strings.Contains(one, "anna") || len(one) != 26 {
		t.Error(one, err)
	}
	for id, natural := range map[string]bool{
		"anna@example.com": true, "a.b+c@mail.example.co.uk": true, one: false, "p-1": false, "a@b": false, "@x.com": false, "a@@x.com": false, "a b@x.com": false,
		"a@x.c": false, "svc@node-1": false,
	} {
		if crypto.LooksNatural(id) != natural {
			t.Errorf("%q", id)
		}
	}
	var log bytes.Buffer
	w := openCodec(t, func(c *crypto.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for _, id := range []string{"p-1", "anna@example.com", "bert@example.com"} {
		sealedName(t, w, id)
	}
	if text := log.String(); strings.Count(text, "e-mail") != 1 || strings.Contains(text, "anna") {
		t.Errorf("the log says %q", text)
	}
}

func TestReferencesOfSubjects(t *testing.T) {
	key := bytes.Repeat([]byte{7}, 32)
	seen := map[crypto.SubjectRef]string{}
	for _, pair := range [][2]string{{"", "ab"}, {"a", "b"}, {"ab", ""}, {"acme", "anna"}, {"acm", "eanna"}} {
		ref := crypto.RefOf(key, pair[0], pair[1])
		if other, twice := seen[ref]; twice {
			t.Errorf("%v and %s have one reference", pair, other)
		}
		seen[ref] = fmt.Sprint(pair)
	}
	if got := fmt.Sprintf("%x", crypto.RefOf(key, "acme", "anna")); got != goldenRef {
		t.Errorf("the reference of anna is %s now", got)
	}
}

const goldenRef = "9bb422625e572903cef384fd4a3cbd07"
