package service_test

import (
	"context"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
)

// laggingKeys are a key store with a copy that lags, from when it is told to: a look-up is answered from the copy, and the watch tells nothing new, until
// somebody asks whether a subject is destroyed, for which it has to read on.
type laggingKeys struct {
	crypto.KeyStore

	mu     sync.Mutex
	known  map[crypto.SubjectRef]crypto.Entry // of one key each
	lags   chan struct{}                      // nil: it does not; closed when it does no more
	behind bool
}

func (k *laggingKeys) lag() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.behind, k.lags = true, make(chan struct{})
}

func (k *laggingKeys) catchUp() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.behind {
		k.behind = false
		close(k.lags)
	}
}

func (k *laggingKeys) answer(s crypto.SubjectRef, look func() (crypto.Entry, error)) (crypto.Entry, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if e, is := k.known[s]; is && k.behind {
		return e, nil
	}
	e, err := look()
	if err == nil {
		k.known[s] = e
	}
	return e, err
}

func (k *laggingKeys) Active(ctx context.Context, s crypto.SubjectRef) (crypto.Entry, error) {
	return k.answer(s, func() (crypto.Entry, error) { return k.KeyStore.Active(ctx, s) })
}

func (k *laggingKeys) Lookup(ctx context.Context, s crypto.SubjectRef, id crypto.KeyID) (crypto.Entry, error) {
	return k.answer(s, func() (crypto.Entry, error) { return k.KeyStore.Lookup(ctx, s, id) })
}

func (k *laggingKeys) Destroy(ctx context.Context, s crypto.SubjectRef, erasure string) (crypto.Receipt, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.behind {
		return crypto.Receipt{}, crypto.ErrKeyUnavailable
	}
	return k.KeyStore.Destroy(ctx, s, erasure)
}

func (k *laggingKeys) Destroyed(ctx context.Context, s crypto.SubjectRef) (crypto.Receipt, bool, error) {
	k.catchUp()
	return k.KeyStore.Destroyed(ctx, s)
}

func (k *laggingKeys) Watch(ctx context.Context, ready func(), f func(crypto.KeyChange)) error {
	return k.KeyStore.Watch(ctx, ready, func(c crypto.KeyChange) {
		k.mu.Lock()
		lags := k.lags
		k.mu.Unlock()
		if lags != nil {
			select {
			case <-lags:
			case <-ctx.Done():
			}
		}
		f(c)
	})
}

// lagsBehind gives the key store of a process whose copy will lag.
func (h *erasureHouse) lagsBehind() *laggingKeys {
	return &laggingKeys{KeyStore: h.keys, known: map[crypto.SubjectRef]crypto.Entry{}}
}

// A projection is told of an erasure before the key store of its process has heard of it, and what that still opens is not written again: the index of the
// view has nothing of the person, once the erasure is over.
func TestErasureOfAViewWhoseKeysLag(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	owner := h.start(t.TempDir(), nil, h.owner())
	view := h.view()
	projector.Index(view, "initial", func(_ string, row *peoplepb.Person) []string {
		if row.Name == "" {
			return nil
		}
		return []string{row.Name[:1]}
	})
	keys, all := h.lagsBehind(), h.keys
	h.keys = keys
	cfg := h.config(t.TempDir(), nil, view)
	cfg.Name += "-views"
	views := start(t, cfg, view)
	h.keys = all
	for _, name := range []string{"Anna", "Bert"} {
		if _, err := h.signUp.Call(bounded(t), owner.Client(), name, &peoplepb.SignUp{Name: name, Email: name + "@example.org", City: "Bern"}); err != nil {
			t.Fatal(err)
		}
	}
	found := func(initial string) int {
		page, err := view.ByIndex(bounded(t), views.Views(), "initial", initial)
		if err != nil {
			t.Fatal(err)
		}
		return len(page.Rows)
	}
	eventually(t, "the rows are there", func() bool { return found("A") == 1 && found("B") == 1 })

	keys.lag()
	if _, err := owner.Privacy().Erase(bounded(t), "Anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	h.await(owner, "Anna")
	keys.catchUp()
	if found("A") != 0 || found("B") != 1 {
		t.Errorf("the index finds %d rows of the erased one, and %d of the other", found("A"), found("B"))
	}
	if row, err := view.Get(bounded(t), views.Views(), "Anna"); err != nil || row.Name != "" || row.City != "Bern" {
		t.Errorf("the row of the erased one is %v, %v", row, err)
	}
	if row, err := view.Get(bounded(t), views.Views(), "Bert"); err != nil || row.Name != "Bert" {
		t.Errorf("the row of the other one is %v, %v", row, err)
	}
}
