package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// keysGone fails the test unless an error says that the subject is destroyed, and nothing else.
func keysGone(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, crypto.ErrShredded) || errors.Is(err, crypto.ErrKeyMissing) || errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Fatalf("%s gives %v, want ErrShredded", what, err)
	}
}

func keysAway(t *testing.T, what string, err error) {
	t.Helper()
	if !errors.Is(err, crypto.ErrKeyUnavailable) || errors.Is(err, crypto.ErrKeyMissing) || errors.Is(err, crypto.ErrShredded) {
		t.Fatalf("%s gives %v, want ErrKeyUnavailable", what, err)
	}
}

func topicEntry(subject crypto.SubjectRef, n byte) crypto.Entry {
	return crypto.Entry{
		Subject: subject, ID: crypto.KeyID{n}, Version: 1, State: crypto.EntryActive, Generation: 1, Wrapped: bytes.Repeat([]byte{'w', n}, 30),
	}
}

// noBytes fails the test if the topic, once compacted, has a key's wrapped bytes.
func noBytes(t *testing.T, log *topicLog, entries ...crypto.Entry) {
	t.Helper()
	log.compact()
	for _, r := range log.held() {
		for _, e := range entries {
			if bytes.Contains(r.Value, e.Wrapped) {
				t.Errorf("the record at %d still has the key %x", r.Offset, e.ID)
			}
		}
	}
}

// A creator stops between its look and its append; the subject is erased meanwhile. What it then appends is refused, overwritten, and named in the receipt.
func TestTopicLateCreation(t *testing.T) {
	log := newTopicLog(1)
	creator, eraser := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, log, crypto.TopicKeysConfig{})
	subject := crypto.SubjectRef{7}
	first, late := topicEntry(subject, 1), topicEntry(subject, 2)
	late.Version, late.Generation = 2, 9
	if _, err := creator.PutIfAbsent(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	log.before(func(r topicRecord) error {
		_, err := eraser.Destroy(t.Context(), subject, "erasure")
		return err
	})
	_, err := creator.PutIfAbsent(t.Context(), late)
	keysGone(t, "a late creation", err)
	for name, view := range map[string]crypto.KeyStore{"creator": creator, "eraser": eraser, "a later one": openTopicKeys(t, log, crypto.TopicKeysConfig{})} {
		_, err := view.Lookup(t.Context(), subject, late.ID)
		keysGone(t, "Lookup by "+name, err)
		receipt, is, err := view.Destroyed(t.Context(), subject)
		if err != nil || !is || len(receipt.Keys) != 2 || len(receipt.Generations) != 2 || receipt.Generations[1] != 9 {
			t.Errorf("%s: receipt %+v, %v, %v; want both keys and generations 1 and 9", name, receipt, is, err)
		}
	}
	noBytes(t, log, first, late)
}

// A re-wrap reads an entry, the subject is erased, then the re-wrap is appended: somebody overwrites it, also when the re-wrapper dies there.
func TestTopicLateRewrap(t *testing.T) {
	for name, dies := range map[string]bool{"goes on": false, "dies": true} {
		t.Run(name, func(t *testing.T) {
			log := newTopicLog(1)
			wrapper, eraser := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, log, crypto.TopicKeysConfig{Mend: time.Hour})
			subject := crypto.SubjectRef{7}
			e, err := wrapper.PutIfAbsent(t.Context(), topicEntry(subject, 1))
			if err != nil {
				t.Fatal(err)
			}
			again := e
			again.Generation, again.Wrapped = 2, []byte("under generation two")
			ctx, die := context.WithCancel(t.Context())
			defer die()
			log.before(func(topicRecord) error {
				_, err := eraser.Destroy(t.Context(), subject, "erasure")
				if dies {
					log.after(func(topicRecord) { die() })
				}
				return err
			})
			if err := wrapper.Replace(ctx, again); err == nil {
				t.Fatal("a key was re-wrapped after its subject was destroyed")
			}
			if _, err := eraser.Lookup(t.Context(), subject, crypto.KeyID{99}); !errors.Is(err, crypto.ErrKeyMissing) { // so that it has read everything
				t.Fatal(err)
			}
			if n, err := eraser.Purge(t.Context()); err != nil || dies && n != 1 {
				t.Fatalf("Purge: %d, %v", n, err)
			}
			if n, err := eraser.Purge(t.Context()); err != nil || n != 0 {
				t.Fatalf("the second Purge: %d, %v", n, err)
			}
			receipt, _, err := eraser.Destroyed(t.Context(), subject)
			if err != nil || len(receipt.Generations) != 2 {
				t.Errorf("the receipt is %+v, %v; want generation 2 in it, whose key can open the late record", receipt, err)
			}
			noBytes(t, log, e, again)
		})
	}
}

// The process that destroys dies after each of its appends; another one that comes later finishes, and reads never give a key once the marker is there.
func TestTopicDestroyKilledAtEachStep(t *testing.T) {
	subject := crypto.SubjectRef{7}
	for step := 1; ; step++ {
		log := newTopicLog(1)
		store := openTopicKeys(t, log, crypto.TopicKeysConfig{Mend: time.Hour})
		var entries []crypto.Entry
		for version := range uint32(3) {
			e := topicEntry(subject, byte(version+1))
			e.Version += version
			if _, err := store.PutIfAbsent(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			entries = append(entries, e)
		}
		ctx, die := context.WithCancel(t.Context())
		appended := 0
		log.after(func(topicRecord) {
			if appended++; appended == step {
				die()
			}
		})
		_, err := store.Destroy(ctx, subject, "erasure")
		die()
		store.Close()
		later := openTopicKeys(t, log, crypto.TopicKeysConfig{Mend: time.Hour})
		_, looked := later.Lookup(t.Context(), subject, entries[0].ID)
		keysGone(t, "Lookup by the next process", looked)
		if _, err := later.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		noBytes(t, log, entries...)
		if err == nil {
			if step != 5 { // the marker and three entries
				t.Errorf("Destroy was done after %d appends", step-1)
			}
			return
		}
	}
}

// The broker is away: nobody is told that a key is missing or destroyed, watches are cut, and all is as before when it is back.
func TestTopicAway(t *testing.T) {
	log := newTopicLog(1)
	store := openTopicKeys(t, log, crypto.TopicKeysConfig{Age: time.Nanosecond})
	held, err := store.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Destroy(t.Context(), crypto.SubjectRef{2}, "erasure"); err != nil {
		t.Fatal(err)
	}
	ready, cut := make(chan struct{}), make(chan error, 1)
	go func() { cut <- store.Watch(t.Context(), func() { close(ready) }, func(crypto.KeyChange) {}) }()
	<-ready
	log.breakDown(errors.New("no broker answers"))
	keysAway(t, "a watch", <-cut)
	var all sync.WaitGroup
	for what, ask := range map[string]func() error{
		"Lookup":               func() error { _, err := store.Lookup(t.Context(), held.Subject, held.ID); return err },
		"Lookup of no key":     func() error { _, err := store.Lookup(t.Context(), crypto.SubjectRef{3}, held.ID); return err },
		"Active":               func() error { _, err := store.Active(t.Context(), held.Subject); return err },
		"Active of no subject": func() error { _, err := store.Active(t.Context(), crypto.SubjectRef{3}); return err },
		"PutIfAbsent": func() error {
			_, err := store.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{3}, 1))
			return err
		},
		"Replace":   func() error { return store.Replace(t.Context(), held) },
		"Destroy":   func() error { _, err := store.Destroy(t.Context(), held.Subject, "late"); return err },
		"Destroyed": func() error { _, _, err := store.Destroyed(t.Context(), crypto.SubjectRef{3}); return err },
		"Reinstate": func() error { _, err := store.Reinstate(t.Context(), crypto.SubjectRef{2}, 1); return err },
		"Scan":      func() error { return store.Scan(t.Context(), func(crypto.Entry) error { return nil }) },
		"Watch":     func() error { return store.Watch(t.Context(), func() {}, func(crypto.KeyChange) {}) },
	} {
		all.Go(func() {
			if err := ask(); !errors.Is(err, crypto.ErrKeyUnavailable) || errors.Is(err, crypto.ErrKeyMissing) || errors.Is(err, crypto.ErrShredded) {
				t.Errorf("%s while the broker is away gives %v, want ErrKeyUnavailable", what, err)
			}
		})
	}
	all.Wait()
	log.breakDown(nil)
	if got, err := store.Lookup(t.Context(), held.Subject, held.ID); err != nil || !bytes.Equal(got.Wrapped, held.Wrapped) {
		t.Errorf("when the broker is back: %+v, %v", got, err)
	}
	_, err = store.Active(t.Context(), crypto.SubjectRef{3})
	if !errors.Is(err, crypto.ErrKeyMissing) {
		t.Errorf("an unknown subject when the broker is back: %v", err)
	}
}

// A process whose following lags does not answer from what it knows: it was destroyed elsewhere long ago.
func TestTopicBehind(t *testing.T) {
	log := newTopicLog(1)
	here, there := openTopicKeys(t, log, crypto.TopicKeysConfig{Age: time.Nanosecond}), openTopicKeys(t, log, crypto.TopicKeysConfig{})
	held, err := here.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := there.Destroy(t.Context(), held.Subject, "erasure"); err != nil {
		t.Fatal(err)
	}
	_, err = here.Lookup(t.Context(), held.Subject, held.ID)
	keysGone(t, "Lookup", err)
}

// A record that cannot be read makes its own subject unavailable, and no other; a record of nobody's is passed over.
func TestTopicForeignRecords(t *testing.T) {
	log := newTopicLog(1)
	store := openTopicKeys(t, log, crypto.TopicKeysConfig{})
	held, err := store.PutIfAbsent(t.Context(), topicEntry(crypto.SubjectRef{1}, 1))
	if err != nil {
		t.Fatal(err)
	}
	other := crypto.SubjectRef{2}
	for _, r := range []topicRecord{
		{Key: []byte("hello"), Value: []byte("world")},
		{Key: nil, Value: []byte("x")},
		{Key: other[:], Value: []byte{99}},
		{Key: held.Subject[:], Value: nil},
		{Key: append(held.Subject[:], held.ID[:]...), Value: nil},
	} {
		if _, err := log.Append(t.Context(), 0, r.Key, r.Value); err != nil {
			t.Fatal(err)
		}
	}
	_, err = store.PutIfAbsent(t.Context(), topicEntry(other, 2))
	keysAway(t, "PutIfAbsent for a subject with a record that cannot be read", err)
	keysAway(t, "Scan", store.Scan(t.Context(), func(crypto.Entry) error { return nil }))
	if got, err := store.Active(t.Context(), held.Subject); err != nil || got.ID != held.ID {
		t.Errorf("the other subject: %+v, %v", got, err)
	}
	if n, err := store.Purge(t.Context()); err != nil || n != 1 {
		t.Errorf("Purge: %d, %v", n, err)
	}
	log.compact()
	later := openTopicKeys(t, log, crypto.TopicKeysConfig{})
	if got, err := later.Active(t.Context(), held.Subject); err != nil || got.ID != held.ID {
		t.Errorf("somebody's null has removed a key: %+v, %v", got, err)
	}
}

// A re-wrap that came after the destruction has put the key under one more generation, where a copy of the topic may have it. The erasure is final when that
// one is destroyed, too, which the ledger did not know of when it noted the destruction.
func TestAnErasureIsFinalBehindALateRewrap(t *testing.T) {
	log, subject := newTopicLog(1), crypto.SubjectRef{7}
	wrapper, keys := openTopicKeys(t, log, crypto.TopicKeysConfig{}), openTopicKeys(t, log, crypto.TopicKeysConfig{})
	again, err := wrapper.PutIfAbsent(t.Context(), topicEntry(subject, 1))
	if err != nil {
		t.Fatal(err)
	}
	first := again.Generation
	again.Generation, again.Wrapped = first+1, []byte("under the generation after it")
	p := startErasure(t, &crypto.MemoryLedgerLog{}, keys)
	var e crypto.Erasure
	log.before(func(topicRecord) error {
		e = p.erases(t, subject, "case-1")
		return nil
	})
	if err := wrapper.Replace(t.Context(), again); !errors.Is(err, crypto.ErrShredded) {
		t.Fatalf("a key of an erased subject was re-wrapped: %v", err)
	}
	wants := func(state crypto.ErasureState) {
		t.Helper()
		if err := p.eraser.Advance(t.Context()); err != nil {
			t.Fatal(err)
		}
		if e, _ = p.ledger.Erasure(e.ID); e.State != state {
			t.Errorf("with the generations %v destroyed it is %s, want %s", p.destroyed, e.State, state)
		}
	}
	p.destroyed = []uint32{first}
	wants(crypto.ErasurePurged)
	p.destroyed = []uint32{first, first + 1}
	wants(crypto.ErasureUnrecoverable)
}
