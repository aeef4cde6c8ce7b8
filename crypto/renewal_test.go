package crypto_test

import (
	"bytes"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// renewalStore is a key store in memory in which new versions of data keys can be kept from being made.
type renewalStore struct {
	crypto.KeyStore
	ahead atomic.Pointer[func(crypto.Entry) error] // of every PutIfAbsent of a version over 1
}

func newRenewalStore() *renewalStore { return &renewalStore{KeyStore: crypto.NewMemoryKeys()} }

func (s *renewalStore) PutIfAbsent(ctx context.Context, e crypto.Entry) (crypto.Entry, error) {
	if ahead := s.ahead.Load(); ahead != nil && e.Version > 1 {
		if err := (*ahead)(e); err != nil {
			return crypto.Entry{}, err
		}
	}
	return s.KeyStore.PutIfAbsent(ctx, e)
}

func (s *renewalStore) do(f func(crypto.Entry) error) { s.ahead.Store(&f) }

// openRenewing gives a codec over store that renews at 10 messages of its own, and at no draw.
func openRenewing(t *testing.T, store crypto.KeyStore, kms crypto.KMS, change ...func(*crypto.Config)) *codecWorld {
	t.Helper()
	never := crypto.DrawRenewal(func() float64 { return 1e9 })
	return openCodec(t, slices.Concat([]func(*crypto.Config){never, func(c *crypto.Config) { c.Keys, c.KMS, c.RenewMessages = store, kms, 10 }}, change)...)
}

// renewalVersions gives the keys of a subject by version.
func renewalVersions(t *testing.T, store crypto.KeyStore, subject crypto.SubjectRef) (all []crypto.Entry) {
	t.Helper()
	if err := store.Scan(t.Context(), func(e crypto.Entry) error {
		if e.Subject == subject {
			all = append(all, e)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b crypto.Entry) int { return int(a.Version) - int(b.Version) })
	return all
}

// wantRenewed wants so many versions of a subject's key, of which the last one seals and the others only open.
func wantRenewed(t *testing.T, store crypto.KeyStore, subject crypto.SubjectRef, count int) []crypto.Entry {
	t.Helper()
	all := renewalVersions(t, store, subject)
	if len(all) != count {
		t.Fatalf("there are %d versions, want %d: %+v", len(all), count, all)
	}
	for i, e := range all {
		want := crypto.EntryReadOnly
		if i == count-1 {
			want = crypto.EntryActive
		}
		if e.Version != uint32(i+1) || e.State != want {
			t.Errorf("version %d of %d is %+v", i+1, count, e)
		}
	}
	return all
}

func TestAKeyIsRenewedByItsAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, kms := newRenewalStore(), &codecKMS{}
		w := openRenewing(t, store, kms, func(c *crypto.Config) { c.RenewAge = time.Hour })
		place, old := sealedName(t, w, "p-1")
		<-time.After(59 * time.Minute)
		sealedName(t, w, "p-1")
		wantRenewed(t, store, w.Ref("p-1"), 1)
		<-time.After(62 * time.Minute) // an open key is used for an hour
		_, fresh := sealedName(t, w, "p-1")
		all := wantRenewed(t, store, w.Ref("p-1"), 2)
		if !bytes.Contains(old, all[0].ID[:]) || !bytes.Contains(fresh, all[1].ID[:]) {
			t.Error("what is sealed is not under the key that was the active one")
		}
		w.reads(t, place, old, nil)
		w.reads(t, place, fresh, nil)
		if n := w.Stats().Renewed; n != 1 {
			t.Errorf("%d renewals are counted", n)
		}
	})
}

func TestAKeyIsRenewedByItsMessages(t *testing.T) {
	for name, opening := range map[string]int64{"in one opening": 0, "over several": 4} {
		t.Run(name, func(t *testing.T) {
			store, kms := newRenewalStore(), &codecKMS{}
			w := openRenewing(t, store, kms, func(c *crypto.Config) { c.KeyMessages = opening })
			var sealed [][]byte
			for range 25 {
				_, data := sealedName(t, w, "p-1")
				sealed = append(sealed, data)
			}
			all := wantRenewed(t, store, w.Ref("p-1"), 3)
			for i, data := range sealed {
				if !bytes.Contains(data, all[i/10].ID[:]) {
					t.Errorf("message %d is not under version %d", i, i/10+1)
				}
				w.reads(t, eventAt("p-1", 1), data, nil)
			}
		})
	}
}

// Nobody knows how much others have sealed, or what was sealed before a restart. What is drawn bounds the sum all the same.
func TestMessagesOfManyProcessesAreSummed(t *testing.T) {
	const limit, total = 400, 6000
	random := rand.New(rand.NewPCG(1, 2)) // one goroutine seals
	store, kms := newRenewalStore(), &codecKMS{}
	process := func() *codecWorld {
		return openCodec(t, crypto.DrawRenewal(random.ExpFloat64), func(c *crypto.Config) {
			c.Keys, c.KMS, c.RenewMessages, c.KeyMessages = store, kms, limit, 5
		})
	}
	under := map[crypto.KeyID]int{}
	var processes [3]*codecWorld
	for n := range total {
		at := n / 7 % len(processes)
		if processes[at] == nil || n%500 == 0 {
			processes[at] = process()
		}
		sealedName(t, processes[at], "p-1")
		e, err := store.Active(t.Context(), processes[at].Ref("p-1"))
		if err != nil {
			t.Fatal(err)
		}
		under[e.ID]++
	}
	most := 0
	for _, n := range under {
		most = max(most, n)
	}
	if most > 4*limit || len(under) < total/limit {
		t.Errorf("%d messages have %d keys, one of them %d messages; a key may seal %d", total, len(under), most, limit)
	}
}

func TestTwoWhoRenewAtOnceHaveOneKey(t *testing.T) {
	store, kms := newRenewalStore(), &codecKMS{}
	var codecs [4]*codecWorld
	for i := range codecs {
		codecs[i] = openRenewing(t, store, kms)
		for range 10 {
			sealedName(t, codecs[i], "p-1")
		}
	}
	var arrived, all sync.WaitGroup
	arrived.Add(len(codecs))
	store.do(func(crypto.Entry) error { // nobody stores a version before everybody has made one
		arrived.Done()
		arrived.Wait()
		return nil
	})
	sealed := make([][]byte, len(codecs))
	for i, w := range codecs {
		all.Go(func() { _, sealed[i] = sealedName(t, w, "p-1") })
	}
	all.Wait()
	two := wantRenewed(t, store, codecs[0].Ref("p-1"), 2)
	for _, w := range codecs {
		for _, data := range sealed {
			if !bytes.Contains(data, two[1].ID[:]) {
				t.Error("a loser's key was used")
			}
			w.reads(t, eventAt("p-1", 1), data, nil)
		}
	}
}

// Where no new version can be made, the old one goes on, is tried again a minute later, and ends at four times its limit.
func TestAKeyThatCannotBeRenewed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store, kms := newRenewalStore(), &codecKMS{}
		w := openRenewing(t, store, kms, func(c *crypto.Config) { c.KeyMessages = 3 })
		tries := 0
		store.do(func(crypto.Entry) error { tries++; return errStoreDown })
		count, err := 0, error(nil)
		for ; err == nil && count < 100; count++ {
			_, _, err = w.Encode(nil, eventAt("p-1", 1), &personpb.Person{Name: "Anna"})
		}
		if !errors.Is(err, crypto.ErrKeyUnavailable) || count > 41 || count < 30 {
			t.Fatalf("a key that may seal 10 refuses message %d: %v", count, err)
		}
		if tries != 1 {
			t.Errorf("the renewal was tried %d times in no time", tries)
		}
		store.ahead.Store(nil)
		<-time.After(time.Minute)
		place, data := sealedName(t, w, "p-1")
		wantRenewed(t, store, w.Ref("p-1"), 2)
		w.reads(t, place, data, nil)
	})
}

// An erasure that comes between ends it: no new version appears, and nothing is sealed any more.
func TestRenewalAgainstErasure(t *testing.T) {
	store, kms := newRenewalStore(), &codecKMS{}
	w := openRenewing(t, store, kms)
	for range 10 {
		sealedName(t, w, "p-1")
	}
	store.do(func(e crypto.Entry) error {
		_, err := store.Destroy(t.Context(), e.Subject, "erasure")
		return err
	})
	if _, _, err := w.Encode(nil, eventAt("p-1", 1), &personpb.Person{Name: "Anna"}); !errors.Is(err, crypto.ErrShredded) {
		t.Fatal(err)
	}
	for _, e := range renewalVersions(t, store, w.Ref("p-1")) {
		if e.State != crypto.EntryDestroyed {
			t.Errorf("after the erasure there is %+v", e)
		}
	}
}

// A subject that begins a new life has its first key again, in all kinds of stores; what the old life had sealed stays closed.
func TestAFirstKeyAfterReinstatement(t *testing.T) {
	for name, fixture := range map[string]func(testing.TB) crypto.KeyStore{
		"memory": func(testing.TB) crypto.KeyStore { return crypto.NewMemoryKeys() },
		"file":   func(t testing.TB) crypto.KeyStore { return fileKeysFixture(t).Store },
		"topic":  func(t testing.TB) crypto.KeyStore { return topicKeysFixture(t).Store },
	} {
		t.Run(name, func(t *testing.T) { firstKeyAfterReinstatement(t, fixture(t)) })
	}
}

func firstKeyAfterReinstatement(t *testing.T, store crypto.KeyStore) {
	kms := &codecKMS{}
	w := openRenewing(t, store, kms)
	place, old := sealedName(t, w, "p-1")
	for range 10 {
		sealedName(t, w, "p-1")
	}
	wantRenewed(t, store, w.Ref("p-1"), 2)
	if _, err := store.Destroy(t.Context(), w.Ref("p-1"), "erasure"); err != nil {
		t.Fatal(err)
	}
	if life, err := store.Reinstate(t.Context(), w.Ref("p-1"), 1); life != 1 || err != nil {
		t.Fatal(life, err)
	}
	cold := openRenewing(t, store, kms)
	_, fresh := sealedName(t, cold, "p-1")
	e, err := store.Active(t.Context(), w.Ref("p-1"))
	if err != nil || e.Version != 1 || e.Life != 1 || !bytes.Contains(fresh, e.ID[:]) {
		t.Fatalf("the first key of the new life is %+v, %v", e, err)
	}
	cold.reads(t, place, fresh, nil)
	if r, err := cold.Reveal(place, old, &personpb.Person{}); err != nil || r.Access != muster.AccessShredded {
		t.Errorf("what the old life had sealed: %v, %v", r, err)
	}
	if all := renewalVersions(t, store, w.Ref("p-1")); len(all) != 3 {
		t.Errorf("the store has %+v", all)
	}
}
