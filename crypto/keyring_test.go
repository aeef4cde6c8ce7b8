package crypto_test

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

var errStoreDown = errors.New("connection refused")

// sealedName gives an event about a person, sealed.
func sealedName(t *testing.T, w *codecWorld, id string) (muster.Place, []byte) {
	t.Helper()
	place := eventAt(id, 1)
	data, _, err := w.Encode(nil, place, &personpb.Person{Name: "Anna"})
	if err != nil {
		t.Fatal(err)
	}
	return place, data
}

// reads wants err, or the name where that is nil.
func (w *codecWorld) reads(t *testing.T, place muster.Place, data []byte, want error) {
	t.Helper()
	got := &personpb.Person{}
	r, err := w.Reveal(place, data, got)
	if !errors.Is(err, want) || err == nil && (got.GetName() != "Anna" || r.Access != muster.AccessOpen) {
		t.Fatalf("after %v: got %v, %v, %v; want error %v", time.Now(), got, r, err, want)
	}
}

func TestKeyStoreIsDownForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openCodec(t)
		place, data := sealedName(t, w, "p-1")
		w.store.failing(errStoreDown)
		w.store.cut()
		synctest.Wait()
		<-time.After(29 * time.Second)
		w.reads(t, place, data, nil) // nobody has destroyed it long ago
		_, _, err := w.Encode(nil, eventAt("p-1", 2), &personpb.Person{Name: "Anna"})
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			<-time.After(time.Minute)
			w.reads(t, place, data, crypto.ErrKeyUnavailable)
			if _, _, err := w.Encode(nil, place, &personpb.Person{Name: "Anna"}); !errors.Is(err, crypto.ErrKeyUnavailable) {
				t.Fatal(err)
			}
		}
		w.store.fail.Store(nil)
		w.reads(t, place, data, nil)
	})
}

func TestADestructionWhileTheWatchWasCutIsSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openCodec(t, func(c *crypto.Config) { c.Grace, c.KeyAge = time.Hour, 24*time.Hour }) // its age is not why it is asked for again
		place, data := sealedName(t, w, "p-1")
		w.store.cut()
		synctest.Wait()
		w.store.destroy(t, w.Ref("p-1")) // the next watch begins behind it
		w.reads(t, place, data, nil)     // within the grace period
		<-time.After(61 * time.Minute)
		r, err := w.Reveal(place, data, &personpb.Person{})
		if err != nil || r.Access != muster.AccessShredded {
			t.Fatal(r, err)
		}
	})
}

func TestADestructionIsSeenAtOnceAndForEver(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	w.store.destroy(t, w.Ref("p-1"))
	for range 2 {
		r, err := w.Reveal(place, data, &personpb.Person{})
		if err != nil || r.Access != muster.AccessShredded {
			t.Fatal(r, err)
		}
		w.store.failing(errStoreDown) // and then without the key store
	}
}

func TestDestroyedWhileTheKeyStoreAnswers(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	cold := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = w.store, w.kms })
	w.store.during = func() { w.store.destroy(t, w.Ref("p-1")) }
	if r, err := cold.Reveal(place, data, &personpb.Person{}); err != nil || r.Access != muster.AccessShredded {
		t.Fatal(r, err)
	}
}

func TestAMissingKeyIsMissingForOneSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openCodec(t)
		place, data := sealedName(t, w, "p-1")
		other := openCodec(t, func(c *crypto.Config) { c.KMS = w.kms })
		other.reads(t, place, data, crypto.ErrKeyMissing)
		asked := other.store.asked.Load()
		other.reads(t, place, data, crypto.ErrKeyMissing)
		if other.store.asked.Load() != asked {
			t.Error("the key store was asked again at once")
		}
		other.store.copyFrom(w.store)
		<-time.After(time.Second)
		other.reads(t, place, data, nil)
	})
}

func TestOneLookUpForAllWhoWait(t *testing.T) {
	w := openCodec(t)
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, _, err := w.Encode(nil, eventAt("p-1", 1), &personpb.Person{Name: "Anna"}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if s := w.Stats(); s.Created != 1 || s.Unwraps != 1 || w.kms.unwraps.Load() != 1 {
		t.Errorf("%+v, and %d key-encryption keys were opened", s, w.kms.unwraps.Load())
	}
}

func TestTwoCreatorsHaveOneKey(t *testing.T) {
	store, kms := newCodecStore(), &codecKMS{}
	var codecs [4]*codecWorld
	for i := range codecs {
		codecs[i] = openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = store, kms })
	}
	sealed := make([][]byte, len(codecs))
	var all sync.WaitGroup
	for i, w := range codecs {
		all.Go(func() { _, sealed[i] = sealedName(t, w, "p-1") })
	}
	all.Wait()
	for _, w := range codecs {
		for _, data := range sealed {
			w.reads(t, eventAt("p-1", 1), data, nil)
		}
	}
}

func TestADestroyedGenerationIsNotAShreddedSubject(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	for _, given := range []error{crypto.ErrShredded, fmt.Errorf("kms: %w", crypto.ErrShredded)} {
		cold := openCodec(t, func(c *crypto.Config) { c.Keys = w.store; c.KMS = failingKMS(given) })
		cold.reads(t, place, data, crypto.ErrKeyMissing)
	}
	for given, want := range map[error]error{errStoreDown: crypto.ErrKeyUnavailable, crypto.ErrKeyUnavailable: crypto.ErrKeyUnavailable} {
		cold := openCodec(t, func(c *crypto.Config) { c.Keys = w.store; c.KMS = failingKMS(given) })
		cold.reads(t, place, data, want)
	}
}

func TestNoRight(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	cold := openCodec(t, func(c *crypto.Config) { c.Keys = w.store; c.KMS = failingKMS(crypto.ErrNoAccess) })
	r, err := cold.Reveal(place, data, &personpb.Person{})
	if err != nil || r.Access != muster.AccessDenied || !r.Denied || len(r.Paths) == 0 {
		t.Fatal(r, err)
	}
	if _, _, err := cold.Encode(nil, eventAt("p-2", 1), &personpb.Person{Name: "Bert"}); !errors.Is(err, crypto.ErrNoAccess) {
		t.Error(err)
	}
}

func TestAnotherKeyUnderTheSameID(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	_, other := sealedName(t, w, "p-2")
	w.store.swapWrapped(w.Ref("p-1"), w.Ref("p-2"))
	cold := openCodec(t, func(c *crypto.Config) { c.Keys, c.KMS = w.store, w.kms })
	cold.reads(t, place, data, crypto.ErrTampered)
	cold.reads(t, eventAt("p-2", 1), other, crypto.ErrTampered)
}

func TestAKeyIsOpenedAnewByMessagesBytesAndAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := openCodec(t, func(c *crypto.Config) { c.KeyMessages, c.KeyBytes, c.KeyAge = 3, 100, time.Minute })
		for range 7 {
			sealedName(t, w, "p-1")
		}
		if n := w.Stats().Unwraps; n != 3 {
			t.Errorf("after 7 messages, 3 for each opening, the key was opened %d times", n)
		}
		for range 2 {
			if _, _, err := w.Encode(nil, eventAt("p-2", 1), &personpb.Person{Name: string(make([]byte, 90))}); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.Stats().Unwraps; n != 5 {
			t.Errorf("after twice 90 bytes, 100 for each opening, there are %d openings", n)
		}
		place, data := sealedName(t, w, "p-3")
		<-time.After(62 * time.Second)
		synctest.Wait()
		w.reads(t, place, data, nil)
		if n := w.Stats().Unwraps; n != 7 {
			t.Errorf("after a minute the key was not opened anew: %d", n)
		}
	})
}

func TestANewVersionSealsAtOnce(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	w.store.retire(t, w.Ref("p-1"))
	if _, _, err := w.Encode(nil, eventAt("p-1", 2), &personpb.Person{Name: "Anna"}); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Fatalf("between two versions it seals: %v", err)
	}
	other := openCodec(t, func(c *crypto.Config) { c.KMS = w.kms })
	other.store.copyKEKs(w.store)
	sealedName(t, other, "p-1")
	second, err := other.store.Active(t.Context(), w.Ref("p-1"))
	if err != nil {
		t.Fatal(err)
	}
	second.Version = 2
	if _, err := w.store.PutIfAbsent(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	later, newer := sealedName(t, w, "p-1")
	if !bytes.Contains(newer, second.ID[:]) {
		t.Error("it does not seal with the new version")
	}
	w.reads(t, later, newer, nil)
	w.reads(t, place, data, nil)
}

func TestTheCacheIsBounded(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) { c.CacheEntries, c.DestroyedEntries = 64, 10 })
	for i := range 500 {
		sealedName(t, w, fmt.Sprintf("p-%d", i))
	}
	if n := w.Stats().Subjects; n > 64 || n < 32 {
		t.Errorf("%d subjects in a cache of 64", n)
	}
	for i := range 20 {
		w.store.destroy(t, w.Ref(fmt.Sprintf("p-%d", i)))
	}
	if n := w.Stats().Destroyed; n != 10 {
		t.Errorf("%d destroyed keys are remembered, of 10", n)
	}
	for i := range 20 { // those that were forgotten are asked for
		if _, _, err := w.Encode(nil, eventAt(fmt.Sprintf("p-%d", i), 2), &personpb.Person{Name: "Anna"}); !errors.Is(err, crypto.ErrShredded) {
			t.Fatal(err)
		}
	}
}

func TestClosed(t *testing.T) {
	w := openCodec(t)
	place, data := sealedName(t, w, "p-1")
	w.Close()
	w.reads(t, place, data, crypto.ErrKeyUnavailable)
	if _, _, err := w.Encode(nil, place, &personpb.Person{Name: "Anna"}); !errors.Is(err, crypto.ErrKeyUnavailable) {
		t.Error(err)
	}
}
