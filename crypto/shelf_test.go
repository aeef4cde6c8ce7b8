package crypto_test

import (
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// shelfNumber is a key whose hash collides with that of every fourth other.
func shelfNumber(n int) (hash uint64, key string) { return uint64(n % 4), strconv.Itoa(n) }

func TestShelfKeepsWhatIsAskedFor(t *testing.T) {
	var gone []int
	s := crypto.NewShelf(8, func(n *int) { gone = append(gone, *n) })
	for n := range 8 {
		hash, key := shelfNumber(n)
		s.Set(hash, key, &n)
	}
	for n := range 8 {
		hash, key := shelfNumber(n)
		if got := s.Get(hash, key); n%2 == 0 && (got == nil || *got != n) {
			t.Errorf("%d is %v", n, got)
		} else if n%2 == 1 {
			s.Forgotten(hash, key)
		}
	}
	for n := 8; n < 12; n++ {
		hash, key := shelfNumber(n)
		if got := s.Add(hash, key, &n); *got != n {
			t.Errorf("added %d, there is %d", n, *got)
		}
	}
	for n := range 12 {
		hash, key := shelfNumber(n)
		if got, there := s.Get(hash, key), n >= 8 || n%2 == 0; (got != nil) != there {
			t.Errorf("%d is there: %v, want %v", n, got != nil, there)
		}
	}
	if s.Len() != 8 || len(gone) != 4 {
		t.Errorf("%d on the shelf, %v gone", s.Len(), gone)
	}
	other, first := -1, 0
	hash, key := shelfNumber(first)
	if got := s.Add(hash, key, &other); *got != first {
		t.Errorf("add gave %d, there was %d", *got, first)
	}
	if s.Set(hash, key, &other); *s.Get(hash, key) != other {
		t.Error("set changed nothing")
	}
	if all := s.Empty(); len(all) != 8 || s.Get(hash, key) != nil || s.Len() != 0 {
		t.Errorf("emptied of %d, %d are left", len(all), s.Len())
	}
}

// Readers find what stays, whatever writers put beside it in the same chains, and never a value of another key, also where slots are taken out.
func TestShelfIsReadWhileItIsWritten(t *testing.T) {
	wide, narrow := crypto.NewShelf(100, nil), crypto.NewShelf(8, nil)
	stays := 1000
	hash, key := shelfNumber(stays)
	wide.Set(hash, key, &stays)
	var done atomic.Bool
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for !done.Load() {
				if got := wide.Get(hash, key); got == nil || *got != stays {
					t.Error("what stays is not found")
					return
				}
				for n := range 50 {
					hash, key := shelfNumber(n)
					if got := narrow.Get(hash, key); got != nil && *got != n {
						t.Errorf("%d is found where %d is", *got, n)
					}
				}
			}
		})
		writers.Go(func() {
			for i := range 2000 {
				n := i % 50
				hash, key := shelfNumber(n)
				wide.Set(hash, key, &n)
				narrow.Add(hash, key, &n)
			}
		})
	}
	writers.Wait()
	done.Store(true)
	readers.Wait()
}

// A subject that is only sealed for keeps its key at hand, however many others come and go: it is looked for by its id, and nobody asks by its reference.
func TestWhoeverIsSealedForStays(t *testing.T) {
	w := openCodec(t, func(c *crypto.Config) {
		c.Types = []crypto.Declaration{crypto.Whole[muster.Raw](nil)}
		c.CacheEntries = 256
	})
	seal := func(id string) {
		place := eventAt("p-1", 1)
		place.AggregateID = id
		if _, _, err := w.Encode(nil, place, muster.Raw("x")); err != nil {
			t.Fatal(err)
		}
	}
	const others = 500
	seal("hot")
	for n := range others {
		seal("hot")
		seal("other-" + strconv.Itoa(n))
	}
	if got := w.Stats().Unwraps; got != others+1 {
		t.Errorf("%d keys were opened for %d subjects", got, others+1)
	}
}
