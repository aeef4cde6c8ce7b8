package service_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// slowKeys destroy nothing while they are stuck.
type slowKeys struct {
	crypto.KeyStore
	stuck atomic.Bool
}

func (k *slowKeys) Destroy(ctx context.Context, s crypto.SubjectRef, erasure string) (crypto.Receipt, error) {
	if k.stuck.Load() {
		return crypto.Receipt{}, crypto.ErrKeyUnavailable
	}
	return k.KeyStore.Destroy(ctx, s, erasure)
}

// A projection is new: it comes when an erasure was asked for, and reads the person's events before the keys are destroyed. Nobody counts on it, and it
// carries the erasure out all the same.
func TestErasureReachesAProjectionThatComesBehindTheRequest(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	keys := &slowKeys{KeyStore: h.keys}
	h.keys = keys
	h.alter = func(c *service.Config) { c.Erasure.Look = 10 * time.Millisecond }
	owner := h.start(t.TempDir(), nil, h.owner())
	for _, name := range []string{"Anna", "Bert"} {
		h.signsUp(owner, name, name)
	}
	keys.stuck.Store(true)
	e, err := owner.Privacy().Erase(bounded(t), "Anna", "gdpr-17", "desk")
	if err != nil || e.State != crypto.ErasureRequested {
		t.Fatal(e, err)
	}
	view := h.view()
	projector.Index(view, "initial", func(_ string, row *peoplepb.Person) []string {
		if row.Name == "" {
			return nil
		}
		return []string{row.Name[:1]}
	})
	cfg := h.config(t.TempDir(), nil, view)
	cfg.Name += "-views"
	views := start(t, cfg, view)
	found := func(initial string) int {
		page, err := view.ByIndex(bounded(t), views.LocalViews(), "initial", initial)
		if err != nil {
			return -1 // it is carried out
		}
		return len(page.Rows)
	}
	eventually(t, "the rows are there", func() bool { return found("A") == 1 && found("B") == 1 })
	keys.stuck.Store(false)
	h.await(owner, "Anna")
	eventually(t, "the index has nothing of the erased one", func() bool { return found("A") == 0 })
	if found("B") != 1 {
		t.Errorf("of the other one the index has %d rows", found("B"))
	}
}
