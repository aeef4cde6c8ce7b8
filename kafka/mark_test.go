package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func fullMark() *muster.DeadLetterMark {
	return &muster.DeadLetterMark{
		Letter: muster.Position{Topic: "accounts.dead", Partition: home, Offset: 7}, Kind: muster.MarkReplayed,
		CommandID: "0199a7c0-0000-7000-8000-000000000001", AggregateID: "acc-1", Time: at, By: "desk/desk-1", Note: "OK at revision 3",
	}
}

func TestMarkOnTheWire(t *testing.T) {
	want := fullMark()
	golden(t, "mark.txt", "a mark that says what became of a dead letter", kafka.EncodeMark(want, accounts))
	r := load(t, "mark.txt")
	r.Offset = 8
	got, err := kafka.DecodeMark(r, accounts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got, same); diff != "" {
		t.Error(diff)
	}
	if _, err := kafka.DecodeDeadLetter(r, accounts); !errors.Is(err, kafka.ErrMark) {
		t.Errorf("as a dead letter: %v; want ErrMark", err)
	}
}

func TestMarksThatAreRefused(t *testing.T) {
	for name, mend := range map[string]func(*kgo.Record){
		"behind itself": func(r *kgo.Record) { r.Offset = 7 },
		"elsewhere":     func(r *kgo.Record) { r.Partition++ },
		"kind":          func(r *kgo.Record) { header(r, "muster-mark", []byte("eaten")) },
		"letter":        func(r *kgo.Record) { header(r, "muster-letter", []byte("accounts.dead")) },
		"group":         func(r *kgo.Record) { header(r, "ce_source", []byte("tills")) },
		"format":        func(r *kgo.Record) { header(r, "muster-format", []byte("2")) },
		"time":          func(r *kgo.Record) { header(r, "ce_time", []byte("now")) },
	} {
		r := kafka.EncodeMark(fullMark(), accounts)
		r.Offset = 8
		mend(r)
		if _, err := kafka.DecodeMark(r, accounts); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), "accounts.dead[") {
			t.Errorf("%s: %v; want DATA_LOSS with the position", name, err)
		}
	}
	letter := kafka.EncodeDeadLetter(fullDeadLetter(t), "accounts.dead")
	if _, err := kafka.DecodeMark(letter, accounts); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("a dead letter: %v; want ErrForeign", err)
	}
}

// A replayed command says which dead letter it comes from, and so does the dead letter it may become.
func TestReplayOfTravels(t *testing.T) {
	c := fullCommand()
	c.ReplayOf = muster.Position{Topic: "accounts.dead", Partition: 3, Offset: 41}
	if got := kafka.DecodeCommand(kafka.EncodeCommand(c, "accounts.commands", home), accounts); got.ReplayOf != c.ReplayOf || got.Fault != nil {
		t.Errorf("%v, %v; want %v", got.ReplayOf, got.Fault, c.ReplayOf)
	}
	d, err := kafka.DecodeDeadLetter(kafka.EncodeDeadLetter(&muster.DeadLetter{Command: *c, Time: at}, "accounts.dead"), accounts)
	if err != nil || d.Command.ReplayOf != c.ReplayOf {
		t.Errorf("%v, %v; want %v", d.Command.ReplayOf, err, c.ReplayOf)
	}
}

func FuzzDecodeMark(f *testing.F) {
	seed(f, kafka.EncodeMark(fullMark(), accounts), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		r := input("accounts.dead", key, value, null, flat, partition)
		m, err := kafka.DecodeMark(r, accounts)
		if err != nil {
			if !errors.Is(err, kafka.ErrForeign) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		again := kafka.EncodeMark(&m, accounts)
		again.Offset = r.Offset
		got, err := kafka.DecodeMark(again, accounts)
		if err != nil || got.Letter != m.Letter || got.Kind != m.Kind || !got.Time.Equal(m.Time) {
			t.Fatalf("%+v came back as %+v, %v", m, got, err)
		}
	})
}
