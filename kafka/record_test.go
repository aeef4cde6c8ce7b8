package kafka_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
)

var update = flag.Bool("update", false, "write the vectors in testdata anew")

// accounts is the group of all tests here: "acc-1" belongs into partition 9 of its 12.
var accounts = muster.NewGroup("accounts", muster.Partitions(12))

// at is a moment with microseconds, in a zone that is not UTC.
var at = time.Date(2026, 11, 3, 15, 5, 9, 123_456_000, time.FixedZone("CET", 3600))

const home = 9 // the partition of "acc-1"

// dump writes a record as text, one item per line: what golden vectors consist of.
func dump(r *kgo.Record) string {
	var b strings.Builder
	fmt.Fprintf(&b, "topic %s\npartition %d\noffset %d\nkey %s\n", r.Topic, r.Partition, r.Offset, quote(r.Key))
	for _, h := range r.Headers {
		fmt.Fprintf(&b, "header %s %s\n", h.Key, quote(h.Value))
	}
	fmt.Fprintf(&b, "value %s\n", quote(r.Value))
	return b.String()
}

func quote(b []byte) string {
	if b == nil {
		return "null"
	}
	return strconv.QuoteToASCII(string(b))
}

// load reads what dump wrote; lines with # in front are remarks.
func load(t *testing.T, name string) *kgo.Record {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	r := &kgo.Record{}
	for line := range strings.Lines(string(text)) {
		word, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch word {
		case "topic":
			r.Topic = rest
		case "partition":
			n, err := strconv.ParseInt(rest, 10, 32)
			if err != nil {
				t.Fatal(err)
			}
			r.Partition = int32(n)
		case "offset":
			if r.Offset, err = strconv.ParseInt(rest, 10, 64); err != nil {
				t.Fatal(err)
			}
		case "key":
			r.Key = unquote(t, rest)
		case "value":
			r.Value = unquote(t, rest)
		case "header":
			key, value, _ := strings.Cut(rest, " ")
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: unquote(t, value)})
		}
	}
	return r
}

func unquote(t *testing.T, s string) []byte {
	t.Helper()
	if s == "null" {
		return nil
	}
	b, err := strconv.Unquote(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return []byte(b)
}

// golden compares a record with its vector, or writes that with -update.
func golden(t *testing.T, name, remark string, r *kgo.Record) {
	t.Helper()
	path := filepath.Join("testdata", name)
	text := "# " + remark + "\n" + dump(r)
	if *update {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text != string(want) {
		t.Errorf("%s: the wire form changed.\ngot:\n%s\nwant:\n%s", name, text, want)
	}
}

// header sets a header of a record, or adds it; a nil value removes it.
func header(r *kgo.Record, key string, value []byte) {
	for i := range r.Headers {
		if r.Headers[i].Key == key {
			if value == nil {
				r.Headers = append(r.Headers[:i:i], r.Headers[i+1:]...)
			} else {
				r.Headers[i].Value = value
			}
			return
		}
	}
	if value != nil {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: value})
	}
}

// text gives the value of a header, "<none>" when it is not there.
func text(r *kgo.Record, key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return "<none>"
}
