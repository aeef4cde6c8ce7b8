package kafka_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// What a broker takes by default in one batch, less the batch's own 61 bytes and the record's fields.
const fits = 1_048_588 - 61 - 40

// A command that is refused on arrival must reach the dead letter topic whatever is in it, without ever being too large to write.
func TestEveryRefusedRecordMakesAReadableDeadLetter(t *testing.T) {
	huge := bytes.Repeat([]byte("x"), 60<<20)
	rows := map[string]struct {
		damage  func(r *kgo.Record)
		omitted string
		value   func(r *kgo.Record) []byte
	}{
		"null value":        {func(r *kgo.Record) { r.Value = nil }, "<none>", func(*kgo.Record) []byte { return nil }},
		"empty value":       {func(r *kgo.Record) { r.Value, r.Key = []byte{}, nil }, "<none>", func(*kgo.Record) []byte { return []byte{} }},
		"a little too much": {func(r *kgo.Record) { r.Value = huge[:1_000_000] }, "<none>", func(r *kgo.Record) []byte { return r.Value }},
		"an inflated bomb":  {func(r *kgo.Record) { r.Value = huge }, "value=62914560", func(*kgo.Record) []byte { return []byte{} }},
		"a bomb of headers": {func(r *kgo.Record) { manyHeaders(150_000)(r) }, "headers=150004", func(r *kgo.Record) []byte { return r.Value }},
		"both":              {func(r *kgo.Record) { manyHeaders(150_000)(r); r.Value = huge }, "value=62914560 headers=150004", func(*kgo.Record) []byte { return []byte{} }},
		"a huge key":        {func(r *kgo.Record) { r.Key = huge[:1<<20] }, "<none>", func(r *kgo.Record) []byte { return r.Value }},
		"huge texts": {func(r *kgo.Record) {
			for _, key := range []string{"ce_id", "ce_type", "ce_correlationid", "ce_causationid", "ce_dataschema", "content-type", "tracestate"} {
				header(r, key, huge[:1<<20])
			}
		}, "<none>", func(r *kgo.Record) []byte { return r.Value }},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
			r.Offset = 17
			row.damage(r)
			c := kafka.DecodeCommand(r, accounts)
			if c.Fault == nil {
				t.Fatal("accepted")
			}
			dead := kafka.EncodeDeadLetter(&muster.DeadLetter{Command: c, Cause: *c.Fault, Time: at}, "accounts.dead")
			if size := sizeOf(dead); size > fits {
				t.Errorf("takes %d bytes, more than a broker takes", size)
			}
			if got := text(dead, "muster-omitted"); got != row.omitted {
				t.Errorf("omitted %q, want %q", got, row.omitted)
			}
			if dead.Value == nil {
				t.Error("the value is null")
			}
			d, err := kafka.DecodeDeadLetter(dead, accounts)
			if err != nil {
				t.Fatal(err)
			}
			if want := row.value(r); !bytes.Equal(d.Command.Payload, want) || (d.Command.Payload == nil) != (want == nil) {
				t.Errorf("payload of %d bytes came back as %d", len(want), len(d.Command.Payload))
			}
			if diff := cmp.Diff(*c.Fault, d.Cause, sameCause); diff != "" {
				t.Error(diff)
			}
			if d.Command.Position() != c.Position() || !d.Time.Equal(at) || d.Command.ID != c.ID {
				t.Errorf("came back as %v of %v at %v", d.Command.ID, d.Command.Position(), d.Time)
			}
		})
	}
}

// sizeOf counts a record as a batch does, with three bytes for each length.
func sizeOf(r *kgo.Record) int {
	n := len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 6 + len(h.Key) + len(h.Value)
	}
	return n
}

func TestDeadLetterBoundsTheCause(t *testing.T) {
	d := fullDeadLetter(t)
	d.Cause.Message = strings.Repeat("é", 1<<20)
	d.Cause.Details = []*anypb.Any{{TypeUrl: "a", Value: make([]byte, 10<<10)}, {TypeUrl: "b", Value: make([]byte, 10<<10)}}
	r := kafka.EncodeDeadLetter(d, "accounts.dead")
	if got := text(r, "muster-omitted"); got != "details=1" {
		t.Errorf("omitted %q", got)
	}
	got, err := kafka.DecodeDeadLetter(r, accounts)
	if err != nil {
		t.Fatal(err)
	}
	if got.Cause.Message != strings.Repeat("é", 2<<10) || len(got.Cause.Details) != 1 {
		t.Errorf("message of %d bytes, %d details", len(got.Cause.Message), len(got.Cause.Details))
	}
}

func TestMalformedDeadLetterIsRefusedByName(t *testing.T) {
	for name, row := range map[string]struct{ key, value, says string }{
		"newer format": {"muster-format", "2", `muster-format "2"`},
		"group":        {"ce_source", "orders", "ce_source"},
		"code":         {"muster-cause-code", "SAD", `muster-cause-code "SAD"`},
		"detail":       {"muster-cause-detail", "\xff", "google.protobuf.Any"},
		"time":         {"muster-cause-time", "late", "muster-cause-time"},
		"origin":       {"muster-origin", "accounts.commands[9]88213", "muster-origin"},
		"origin part":  {"muster-origin", "accounts.commands[-9]@88213", "muster-origin"},
		"origin at":    {"muster-origin", "accounts.commands[9]@-1", "muster-origin"},
		"origin topic": {"muster-origin", "[9]@1", "muster-origin"},
	} {
		r := kafka.EncodeDeadLetter(fullDeadLetter(t), "accounts.dead")
		header(r, row.key, []byte(row.value))
		if _, err := kafka.DecodeDeadLetter(r, accounts); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := kafka.EncodeDeadLetter(fullDeadLetter(t), "accounts.dead")
	header(r, "muster-format", nil)
	if _, err := kafka.DecodeDeadLetter(r, accounts); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("foreign: %v", err)
	}
}
