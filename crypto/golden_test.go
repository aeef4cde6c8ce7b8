package crypto_test

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

var makeSealed = flag.Bool("make-sealed", false, "make those files in testdata/sealed that are not there yet; what was sealed once opens for ever")

// goldenCase is one file in testdata/sealed: a payload of an event of alice and bob, the keys, and what comes of it.
type goldenCase map[string]string

var goldenPlace = muster.Place{Purpose: muster.PurposeEvent, Group: "bank", Type: "bank.Transferred", AggregateID: "acc-1", Revision: 4, MessageID: "c-1/0"}

// goldenCases gives, for each class of failure, what is done to a good payload or its keys.
var goldenCases = map[string]func(g goldenCase){
	"opens":             func(goldenCase) {},
	"tampered-tag":      func(g goldenCase) { g.flip("payload", -1) },
	"tampered-clear":    func(g goldenCase) { g.flip("payload", bytes.Index(g.hex("payload"), []byte("alice"))) },
	"tampered-revision": func(g goldenCase) { g["revision"] = "5" },
	"wrong-key":         func(g goldenCase) { g.flip("wrapped alice", -1) },
	"missing-key":       func(g goldenCase) { delete(g, "wrapped alice") },
	"shredded":          func(g goldenCase) { g["destroyed"] = "alice" },
	"unknown-envelope":  func(g goldenCase) { g.flip("payload", 8) },
	"unknown-suite":     func(g goldenCase) { g.flip("payload", g.lastBlob()+1) },
	"unknown-flag":      func(g goldenCase) { g.flip("payload", g.lastBlob()+2) },
	"unknown-version":   func(g goldenCase) { g.flip("payload", g.lastBlob()) },
	"unknown-purpose":   func(g goldenCase) { g.set("payload", g.lastBlob()+3, 99) },
	"tampered-purpose":  func(g goldenCase) { g.set("payload", g.lastBlob()+3, byte(muster.PurposeState)) },
	"tampered-nonce":    func(g goldenCase) { g.flip("payload", g.lastBlob()+20) },
	"missing-other-id":  func(g goldenCase) { g.flip("payload", g.lastBlob()+4) },
	"unavailable":       func(g goldenCase) { g["store"] = "unavailable" },
	"no-access":         func(g goldenCase) { g["store"] = "no access" },
	"truncated":         func(g goldenCase) { g["payload"] = g["payload"][:len(g["payload"])-2] },
}

func (g goldenCase) hex(name string) []byte {
	b, err := hex.DecodeString(g[name])
	if err != nil {
		panic(err)
	}
	return b
}

// lastBlob gives where the last blob begins.
func (g goldenCase) lastBlob() int { return bytes.LastIndex(g.hex("payload"), []byte{1, 1, 0, 2}) }

func (g goldenCase) set(name string, at int, to byte) {
	b := g.hex(name)
	b[at] = to
	g[name] = hex.EncodeToString(b)
}

func (g goldenCase) flip(name string, at int) {
	b := g.hex(name)
	b[(at+len(b))%len(b)] ^= 2
	g[name] = hex.EncodeToString(b)
}

// outcome opens the payload with the keys of the file.
func (g goldenCase) outcome(t *testing.T) string {
	w := openCodec(t)
	refs := map[string]crypto.SubjectRef{"alice": w.Ref("alice"), "bob": w.Ref("bob"), "kek": crypto.KEKSubject("acme")}
	for name, ref := range refs {
		e := crypto.Entry{Subject: ref, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: g.hex("wrapped " + name)}
		copy(e.ID[:], g.hex("id "+name))
		if len(e.Wrapped) > 0 {
			w.store.entries[ref] = append(w.store.entries[ref], e)
		}
	}
	if g["destroyed"] != "" {
		w.store.destroy(t, refs[g["destroyed"]])
	}
	switch g["store"] {
	case "unavailable":
		w.store.failing(errStoreDown)
	case "no access":
		w.store.failing(crypto.ErrNoAccess)
	}
	place, got := goldenPlace, &personpb.Transfer{}
	if text := g["revision"]; text != "" {
		if _, err := fmt.Sscan(text, &place.Revision); err != nil {
			t.Fatal(err)
		}
	}
	r, err := w.Reveal(place, g.hex("payload"), got)
	if err != nil {
		return "error: " + err.Error()
	}
	text, err := protojson.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%v %s", r, bytes.ReplaceAll(text, []byte(" "), nil))
}

// What was sealed by any build opens with this one, and each way it can fail fails as it did.
func TestGoldenSealed(t *testing.T) {
	dir := filepath.Join("testdata", "sealed")
	if *makeSealed {
		writeGolden(t, dir)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(files) < len(goldenCases) {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			g := readGolden(t, file)
			if got := g.outcome(t); got != g["outcome"] {
				t.Errorf("got  %s\nwant %s", got, g["outcome"])
			}
		})
	}
}

func readGolden(t *testing.T, file string) goldenCase {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	g := goldenCase{}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		g[name] = value
	}
	return g
}

// writeGolden makes the files that are not there of what the one that opens holds.
func writeGolden(t *testing.T, dir string) {
	good := readGolden(t, filepath.Join(dir, "opens.txt"))
	for name, change := range goldenCases {
		file := filepath.Join(dir, name+".txt")
		if _, err := os.Stat(file); err == nil {
			continue
		}
		g := maps.Clone(good)
		change(g)
		g["outcome"] = g.outcome(t)
		var text strings.Builder
		for _, key := range slices.Sorted(maps.Keys(g)) {
			fmt.Fprintf(&text, "%s: %s\n", key, g[key])
		}
		if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
