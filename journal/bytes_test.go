package journal_test

import (
	"bytes"
	"encoding/hex"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

var someAnswers = []muster.Remembered{
	{CommandID: "c-1", Fingerprint: 0x01020304, Revision: 300, Offset: 7, Time: time.UnixMicro(1_000_001).UTC(), Outcome: []byte("ok")},
	{CommandID: "c-2", Offset: -1, Time: time.UnixMicro(999_999).UTC(), Outcome: []byte{}},
	{CommandID: "c-3", Revision: math.MaxUint64, Offset: math.MaxInt64, Time: time.UnixMicro(1_000_000).UTC()},
}

// The bytes on disk are a promise to later builds: a change here needs a new format number.
func TestBytesOnDisk(t *testing.T) {
	for name, c := range map[string]struct{ got, want string }{
		"format":   {hex.EncodeToString(journal.EncodeFormat(1)), "4d5553544552" + "0001"},
		"registry": {hex.EncodeToString(journal.EncodeRegistry(3)), "01" + "0003"},
		"state":    {hex.EncodeToString(journal.EncodeState(muster.StoredState{Revision: 2, Offset: 5, Data: []byte("x")})), "01" + "0000000000000002" + "0000000000000005" + "78"},
		"answers": {hex.EncodeToString(journal.EncodeAnswers(1_000_000, someAnswers)), "01" + "00000000000f4240" + "00000003" + "00000019" + "00000028" + "00000034" +
			"03632d31" + "01020304" + "ac02" + "0e" + "02" + "03" + "6f6b" +
			"03632d32" + "00000000" + "00" + "01" + "01" + "01" +
			"03632d33" + "00000000" + "ffffffffffffffffff01" + "feffffffffffffffff01" + "00" + "00"},
		"key": {hex.EncodeToString(journal.AnswersKey(2, 3, 4)), "0002" + "00000003" + "03" + "0000000000000004"},
	} {
		if c.got != c.want {
			t.Errorf("%s is\n%s, was\n%s", name, c.got, c.want)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	f.Add(journal.EncodeState(muster.StoredState{Revision: 1, Data: []byte("data")}))
	f.Add(journal.EncodeState(muster.StoredState{Revision: math.MaxUint64, Offset: math.MaxInt64}))
	f.Add([]byte{2})
	f.Fuzz(func(t *testing.T, b []byte) {
		state, err := journal.DecodeState(b)
		if err != nil {
			return
		}
		if again := journal.EncodeState(state); !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzDecodeMeta(f *testing.F) {
	empty := append([]byte{1}, make([]byte, 56)...)
	for i := 25; i < 33; i++ {
		empty[i] = 0xff
	}
	f.Add(empty)
	f.Add(append(empty, "event-id"...))
	f.Add([]byte{0})
	f.Fuzz(func(t *testing.T, b []byte) {
		again, err := journal.RewriteMeta(b)
		if err == nil && !bytes.Equal(again, b) {
			t.Fatalf("%x became %x", b, again)
		}
	})
}

func FuzzDecodeAnswers(f *testing.F) {
	f.Add(journal.EncodeAnswers(1_000_000, someAnswers))
	f.Add(journal.EncodeAnswers(0, nil))
	f.Add(append([]byte{1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 100)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		at, answers, err := journal.DecodeAnswers(b)
		if err != nil {
			return
		}
		for i := range answers {
			if answers[i].Time.IsZero() {
				return // year 1 is written as no time at all
			}
		}
		encoded := journal.EncodeAnswers(at, answers)
		if most := journal.AnswersSize(answers); len(encoded) > most {
			t.Fatalf("%d bytes, at most %d were foreseen", len(encoded), most)
		}
		atAgain, again, err := journal.DecodeAnswers(encoded)
		if err != nil || atAgain != at || !reflect.DeepEqual(again, answers) {
			t.Fatalf("%+v became %+v, %v", answers, again, err)
		}
	})
}

func FuzzDecodeFormat(f *testing.F) {
	f.Add(journal.EncodeFormat(1))
	f.Add(journal.EncodeFormat(2))
	f.Add([]byte("MUSTER"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if journal.DecodeFormat(b) == nil && !bytes.HasPrefix(b, journal.EncodeFormat(1)) {
			t.Fatalf("%x was taken", b)
		}
	})
}

func FuzzDecodeRegistry(f *testing.F) {
	f.Add(journal.EncodeRegistry(1))
	f.Add([]byte{1, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if number, err := journal.DecodeRegistry(b); err == nil && !bytes.HasPrefix(b, journal.EncodeRegistry(number)) {
			t.Fatalf("%x was taken for %d", b, number)
		}
	})
}

func FuzzSequenceOf(f *testing.F) {
	f.Add(journal.AnswersKey(1, 2, 3))
	f.Add(journal.MetaKey(1, 2))
	f.Fuzz(func(t *testing.T, b []byte) {
		sequence, err := journal.SequenceOf(b)
		if err == nil && !bytes.Equal(b[6:], journal.AnswersKey(0, 0, sequence)[6:]) {
			t.Fatalf("%x was taken for %d", b, sequence)
		}
	})
}
