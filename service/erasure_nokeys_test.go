package service_test

import (
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
)

// A service of projections without a right to the keys takes part in erasures, and starts where there were some: it opens nothing, so nothing that a backup may have
// brought back can be opened by it.
func TestErasuresOfAServiceWithoutKeys(t *testing.T) {
	h := newErasureHouse(t, oneErasurePartition)
	owner := h.start(t.TempDir(), nil, h.owner())
	h.signsUp(owner, "anna", "Anna")
	h.signsUp(owner, "bert", "Bert")
	dir, keys := t.TempDir(), h.keys
	views := func() *running {
		h.keys = crypto.NoKeys()
		defer func() { h.keys = keys }()
		v := h.view()
		cfg := h.config(dir, nil, v)
		cfg.Name += "-views"
		return start(t, cfg, v)
	}
	for _, id := range []string{"anna", "bert"} {
		s := views()
		eventually(t, "the rows are there", func() bool { return live(s) == 1 })
		if _, err := owner.Privacy().Erase(bounded(t), id, "gdpr-17", "desk"); err != nil {
			t.Fatal(err)
		}
		if e := h.await(owner, id); len(e.Done) != 2 {
			t.Errorf("acknowledged by %v", e.Done)
		}
		s.end()
	}
}
