package crypto_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"runtime"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// topicOfTwo gives the records of a subject with two keys, one of which was wrapped again, before and after its destruction.
func topicOfTwo(t testing.TB) []topicRecord {
	t.Helper()
	log := newTopicLog(1)
	store := openTopicKeys(t, log, crypto.TopicKeysConfig{})
	subject := crypto.SubjectRef{7}
	one, two := topicEntry(subject, 1), topicEntry(subject, 2)
	two.Version = 2
	held, err := store.PutIfAbsent(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.PutIfAbsent(t.Context(), two); err != nil {
		t.Fatal(err)
	}
	held.Generation, held.State = 2, crypto.EntryReadOnly
	if err := store.Replace(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Destroy(t.Context(), subject, "erasure"); err != nil {
		t.Fatal(err)
	}
	return log.held()
}

// The bytes of records are those that docs/formats.md draws. The time of the first append and of the destruction are left out.
func TestKeyBytes(t *testing.T) {
	records := topicOfTwo(t)
	for i, want := range []struct{ key, head string }{
		{"07000000000000000000000000000000" + "01000000000000000000000000000000", "01" + "01000000000000000000000000000000" + "01" + "00" + "01" + "00" + "010101" + "00"},
		{"07000000000000000000000000000000" + "02000000000000000000000000000000", "01" + "02000000000000000000000000000000" + "02" + "00" + "01" + "00" + "010101" + "00"},
		{"07000000000000000000000000000000" + "01000000000000000000000000000000", "01" + "01000000000000000000000000000000" + "01" + "00" + "02" + "00" + "020102" + "01"},
		{"07000000000000000000000000000000", "01" + "00" + "01" + "00"},
		{"07000000000000000000000000000000" + "01000000000000000000000000000000", "01" + "01000000000000000000000000000000" + "01" + "00" + "03" + "00" + "020102" + "01"},
		{"07000000000000000000000000000000" + "02000000000000000000000000000000", "01" + "02000000000000000000000000000000" + "02" + "00" + "03" + "00" + "010101" + "02"},
	} {
		if i >= len(records) {
			t.Fatalf("there are %d records", len(records))
		}
		r := records[i]
		if key, head := hex.EncodeToString(r.Key), hex.EncodeToString(r.Value[:min(len(r.Value), len(want.head)/2)]); key != want.key || head != want.head {
			t.Errorf("record %d:\n key   %s\n want  %s\n value %s\n want  %s", i, key, want.key, head, want.head)
		}
	}
	if len(records) != 6 {
		t.Errorf("there are %d records, want 6", len(records))
	}
}

func FuzzKeyRow(f *testing.F) {
	var row []byte
	for _, r := range topicOfTwo(f) {
		var err error
		if row, err = crypto.FoldKeyRecord(row, r.Key, r.Value, r.Offset); err != nil {
			f.Fatal(err)
		}
		f.Add(row)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if once, err := crypto.KeyRowAgain(b); err == nil {
			if twice, err := crypto.KeyRowAgain(once); err != nil || !bytes.Equal(once, twice) {
				t.Errorf("a row changes when it is read again: %x, %x, %v", once, twice, err)
			}
		}
	})
}

// Whatever a record says, it is refused or folded into a row that can be read again and that a few records bring to rest.
func FuzzKeyRecord(f *testing.F) {
	records := topicOfTwo(f)
	for _, r := range records {
		f.Add(r.Key, r.Value)
	}
	var row []byte
	for _, r := range records[:3] {
		var err error
		if row, err = crypto.FoldKeyRecord(row, r.Key, r.Value, r.Offset); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, key, value []byte) {
		if len(key) >= 16 {
			copy(key, records[0].Key[:16])
		}
		if _, err := crypto.FoldKeyRecord(bytes.Clone(row), key, value, 100); errors.Is(err, crypto.ErrNotMended) {
			t.Error(err)
		}
	})
}

// BenchmarkKeyCopy measures what a subject with one key takes in memory.
func BenchmarkKeyCopy(b *testing.B) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	store := crypto.NewMemoryKeys()
	for n := range b.N {
		e := topicEntry(crypto.SubjectRef{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), 1}, 1)
		e.Wrapped = e.Wrapped[:60]
		if _, err := store.PutIfAbsent(b.Context(), e); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/float64(b.N), "B/subject")
	runtime.KeepAlive(store)
}
