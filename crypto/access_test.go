package crypto_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/crypto/internal/personpb"
)

// Whoever is denied something is told so, and by whom; whoever cannot be answered is not.
func TestCheckAccess(t *testing.T) {
	w := openCodec(t)
	if err := w.CheckAccess(t.Context()); err != nil {
		t.Errorf("before anything was sealed: %v", err)
	}
	place, data := sealedName(t, w, "p-1")
	if err := w.CheckAccess(t.Context()); err != nil {
		t.Errorf("with all rights: %v", err)
	}
	for _, c := range []struct {
		name   string
		change func(*crypto.Config)
		want   error
	}{
		{"KMS", func(c *crypto.Config) { c.Keys, c.KMS = w.store, failingKMS(crypto.ErrNoAccess) }, crypto.ErrNoAccess},
		{"key store", func(c *crypto.Config) { c.Keys, c.KMS = crypto.NoKeys(), w.kms }, crypto.ErrNoAccess},
		{"KMS", func(c *crypto.Config) { c.Keys, c.KMS = w.store, failingKMS(errStoreDown) }, crypto.ErrKeyUnavailable},
	} {
		cold := openCodec(t, c.change)
		if err := cold.CheckAccess(t.Context()); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.name) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		got := &personpb.Person{}
		if r, err := cold.Reveal(place, data, got); errors.Is(c.want, crypto.ErrNoAccess) && (err != nil || r.Access != muster.AccessDenied || got.GetName() != "") {
			t.Errorf("%s: it reads %v, %v, %v", c.name, got, r, err)
		}
	}
}
