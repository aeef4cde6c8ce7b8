package crypto_test

import (
	"slices"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

func TestSubjectsOfAPayload(t *testing.T) {
	w := openCodec(t)
	data, _, err := w.Encode(nil, eventAt("p-1", 1), anna())
	if err != nil {
		t.Fatal(err)
	}
	ref := crypto.RefOf(slices.Repeat([]byte{7}, 32), "acme", "p-1")
	other := muster.SubjectRef{1}
	got := w.Subjects([]muster.SubjectRef{other}, data)
	if !slices.Contains(got, ref) || got[0] != other {
		t.Fatalf("subjects %x, want %x behind %x", got, ref, other)
	}
	if again := w.Subjects(got, data); len(again) != len(got) {
		t.Errorf("asked twice, it gives %d subjects, not %d", len(again), len(got))
	}
	for _, none := range [][]byte{nil, []byte("clear"), data[:len(data)-1], append(slices.Clone(data), 0)} {
		if got := w.Subjects(nil, none); len(got) != 0 {
			t.Errorf("%d bytes that are no sealed payload have subjects %x", len(none), got)
		}
	}
	if n := testing.AllocsPerRun(100, func() { got = w.Subjects(got[:0], data) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A key that was destroyed where the watch has not told of it yet is asked for again.
func TestAForgottenKeyIsAskedForAgain(t *testing.T) {
	w := openCodec(t)
	place := eventAt("p-1", 1)
	if _, _, err := w.Encode(nil, place, anna()); err != nil {
		t.Fatal(err)
	}
	before := w.store.asked.Load()
	if _, _, err := w.Encode(nil, place, anna()); err != nil || w.store.asked.Load() != before {
		t.Fatalf("a key at hand was asked for: %v", err)
	}
	for _, ref := range w.Subjects(nil, mustSeal(t, w, place)) {
		w.Forget(ref)
	}
	if _, _, err := w.Encode(nil, place, anna()); err != nil || w.store.asked.Load() == before {
		t.Errorf("a forgotten key was not asked for: %v", err)
	}
}

func mustSeal(t *testing.T, w *codecWorld, place muster.Place) []byte {
	t.Helper()
	data, _, err := w.Encode(nil, place, anna())
	if err != nil {
		t.Fatal(err)
	}
	return data
}
