package service_test

import (
	"context"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// lateKeys is a key store as a process sees it that reads a copy, which lags: nothing that was destroyed since the copy was made is in it, until this
// process asks whether it is destroyed. The test only reads keys and destroys some.
type lateKeys struct {
	crypto.KeyStore // the copy
	all             crypto.KeyStore
}

func newLateKeys(t *testing.T, all crypto.KeyStore) *lateKeys {
	t.Helper()
	k := &lateKeys{crypto.NewMemoryKeys(), all}
	err := all.Scan(t.Context(), func(e crypto.Entry) error {
		_, err := k.PutIfAbsent(t.Context(), e)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Destroyed brings the copy up.
func (k *lateKeys) Destroyed(ctx context.Context, subject crypto.SubjectRef) (receipt crypto.Receipt, is bool, err error) {
	if receipt, is, err = k.all.Destroyed(ctx, subject); is {
		_, err = k.KeyStore.Destroy(ctx, subject, receipt.Erasure)
	}
	return receipt, is, err
}

// Destroy is for others, who read the store itself.
func (k *lateKeys) Destroy(context.Context, crypto.SubjectRef, string) (crypto.Receipt, error) {
	return crypto.Receipt{}, crypto.ErrKeyUnavailable
}

// lagging has two people sign up, in a directory that it gives, and makes a copy of their keys lag. It hears of what is destroyed, at the latest, as an owner
// that is made of the house now folds what it has opened with it.
func (h *erasureHouse) lagging() (late *lateKeys, dir string) {
	h.t.Helper()
	dir = h.t.TempDir()
	s := h.start(dir, nil, h.owner())
	h.signsUp(s, "anna", "Anna")
	h.signsUp(s, "bert", "Bert")
	s.end()
	late = newLateKeys(h.t, h.keys)
	h.keys, h.folds = late, func(name string) {
		if name != "Anna" {
			return
		}
		if _, _, err := late.Destroyed(h.t.Context(), h.ref("anna")); err != nil {
			h.t.Error(err)
		}
	}
	return late, dir
}

// An instance that was away while somebody was erased folds that person's events anew with a copy of the keys that has not heard of it. When the copy
// hears while that goes on, the new state has no part that is sealed for the erased one, and could still have what was derived.
func TestErasureIsCaughtUpWithKeysThatLag(t *testing.T) {
	h := newErasureHouse(t, muster.Partitions(1))
	all := h.keys
	late, dir := h.lagging()
	away := openOnly(t, h.config(dir, nil, h.owner()), h.owner()) // what is destroyed until now is asked for as it is opened
	h.keys, h.folds = all, nil
	other := h.start(t.TempDir(), nil, h.owner())
	h.erases(other, "anna")
	other.end()
	if _, err := late.Active(t.Context(), h.ref("anna")); err != nil {
		t.Fatalf("the copy has heard of it before: %v", err)
	}
	h.wantErased(launchOpened(t, away), nil, "anna", "bert")
}

// An owner that carries an erasure out beside its work does so with such a copy as well.
func TestErasureIsCarriedOutWithKeysThatLag(t *testing.T) {
	h := newErasureHouse(t, muster.Partitions(1))
	all := h.keys
	_, dir := h.lagging()
	s := h.start(dir, nil, h.owner())
	h.keys, h.folds = all, nil
	h.erases(h.start("", nil), "anna")
	h.wantErased(s, nil, "anna", "bert")
}
