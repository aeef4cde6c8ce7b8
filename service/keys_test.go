package service_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/service"
)

// An owner and a desk that are processes of their own, each with a connection of its own to the key topic: what one seals the other opens, and what
// the desk erases the owner forgets.
func TestKeysInATopic(t *testing.T) {
	h := newErasureHouse(t, muster.Partitions(2))
	open := func(existing bool) *service.Keys {
		keys, err := service.OpenKeys(t.Context(), service.Config{Name: "people", Brokers: h.brokers, ExistingTopics: existing}, h.name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(keys.Close) // behind the end of the service, which was started later
		return keys
	}
	h.keys = open(false)
	view := h.view()
	owner := h.start(t.TempDir(), nil, h.owner(), view)
	h.keys = open(true)
	desk := h.start("", nil)
	h.signsUp(owner, "anna", "Anna", muster.WaitFor(view))
	h.signsUp(owner, "bert", "Bert", muster.WaitFor(view))
	if _, err := desk.Privacy().Erase(t.Context(), "anna", "gdpr-17", "desk"); err != nil {
		t.Fatal(err)
	}
	if e := h.await(owner, "anna"); len(e.Receipt.Keys) != 1 {
		t.Errorf("the erasure is %+v", e)
	}
	h.wantErased(owner, view, "anna", "bert")
	if _, err := open(true).Active(t.Context(), h.ref("anna")); !errors.Is(err, crypto.ErrShredded) {
		t.Errorf("a new process finds %v", err)
	}
}

// A key store whose copy lies on disk says the same as any other, and leaves nothing there.
func TestKeysOnDisk(t *testing.T) {
	h, dir := newErasureHouse(t), t.TempDir()
	open := func(t testing.TB, memory int64) *service.Keys {
		keys, err := service.OpenKeys(t.Context(), service.Config{Name: "people", Brokers: h.brokers, DataDir: dir, KeyMemory: memory}, h.name)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	store, other := open(t, 16<<20), open(t, 0)
	mustertest.KeyStoreMachine(t, func(testing.TB) mustertest.KeyStoreFixture {
		return mustertest.KeyStoreFixture{Steps: 1, Store: store, Other: other, Restart: func(t testing.TB) crypto.KeyStore {
			store.Close()
			store = open(t, 16<<20)
			return store
		}}
	})
	store.Close()
	other.Close()
	if left, err := os.ReadDir(filepath.Join(dir, "keys")); err != nil || len(left) > 0 {
		t.Errorf("there is %v, %v", left, err)
	}
	for _, c := range []service.Config{{DataDir: dir, KeyMemory: 1}, {KeyMemory: 16 << 20}} {
		c.Name, c.Brokers = "people", h.brokers
		if keys, err := service.OpenKeys(t.Context(), c, h.name); err == nil {
			t.Errorf("%d bytes of memory in %q are taken", c.KeyMemory, c.DataDir)
			keys.Close()
		}
	}
}

// Topics of a key space that are missing are not made where they have to be there.
func TestMissingKeyTopic(t *testing.T) {
	h := newErasureHouse(t)
	keys, err := service.OpenKeys(t.Context(), service.Config{Name: "people", Brokers: h.brokers, ExistingTopics: true}, h.name)
	if muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("%v, %v", keys, err)
	}
}
