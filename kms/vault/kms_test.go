package vault_test

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kms/vault"
	"github.com/seed-3eec0498/muster/mustertest"
)

func fake(t testing.TB) (*transit, *httptest.Server, crypto.KMS) {
	t.Helper()
	f := &transit{keys: map[string]*transitKey{}, token: "token"}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	k, err := vault.Open(vault.Config{Address: server.URL, Token: func(context.Context) (string, error) { return "token", nil }, Client: server.Client()})
	if err != nil {
		t.Fatal(err)
	}
	return f, server, k
}

func TestKMS(t *testing.T) {
	mustertest.KMS(t, func(t testing.TB) crypto.KMS {
		_, _, k := fake(t)
		return k
	})
}

func want(t *testing.T, what string, got, want error) {
	t.Helper()
	for _, known := range []error{crypto.ErrShredded, crypto.ErrKeyMissing, crypto.ErrKeyUnavailable, crypto.ErrNoAccess, crypto.ErrTampered} {
		if errors.Is(got, known) != errors.Is(want, known) {
			t.Errorf("%s gives %v, want %v", what, got, want)
		}
	}
}

// What Vault cannot do now is never read as destroyed, tampered with or missing.
func TestTrouble(t *testing.T) {
	f, server, k := fake(t)
	wrapped, err := k.Wrap(t.Context(), 1, []byte("key"), []byte("aad"))
	if err != nil {
		t.Fatal(err)
	}
	f.sealed = true
	_, err = k.Unwrap(t.Context(), 1, wrapped, []byte("aad"))
	want(t, "a sealed Vault", err, crypto.ErrKeyUnavailable)
	want(t, "destroying in a sealed Vault", k.DestroyGeneration(t.Context(), 1), crypto.ErrKeyUnavailable)
	f.sealed, f.token = false, "another"
	_, err = k.Unwrap(t.Context(), 1, wrapped, []byte("aad"))
	want(t, "a token without rights", err, crypto.ErrNoAccess)
	server.Close()
	_, err = k.Unwrap(t.Context(), 1, wrapped, []byte("aad"))
	want(t, "no Vault", err, crypto.ErrKeyUnavailable)
	if strings.Contains(err.Error(), "token") {
		t.Errorf("the error tells too much: %v", err)
	}
}

// Destroying marks, allows and deletes, in this order; the process that dies in between leaves a generation that nobody uses, and that is destroyed by the next call.
func TestDestroyOrder(t *testing.T) {
	f, _, k := fake(t)
	wrapped, err := k.Wrap(t.Context(), 7, []byte("key"), nil)
	if err != nil {
		t.Fatal(err)
	}
	f.keys["muster-7-destroyed"] = newTransitKey() // it was killed behind the mark
	_, err = k.Wrap(t.Context(), 7, []byte("key"), nil)
	want(t, "Wrap behind the mark", err, crypto.ErrShredded)
	f.paths = nil
	if err := k.DestroyGeneration(t.Context(), 7); err != nil {
		t.Fatal(err)
	}
	order := []string{"POST keys/muster-7-destroyed", "GET keys/muster-7", "POST keys/muster-7/config", "DELETE keys/muster-7", "GET keys/muster-7"}
	if !slices.Equal(f.paths, order) {
		t.Errorf("Vault was asked %q, want %q", f.paths, order)
	}
	_, err = k.Unwrap(t.Context(), 7, wrapped, nil)
	want(t, "Unwrap of a destroyed generation", err, crypto.ErrShredded)
	if _, there := f.keys["muster-7"]; there {
		t.Error("the key is there again")
	}
}

func TestConfig(t *testing.T) {
	token := func(context.Context) (string, error) { return "", nil }
	for name, c := range map[string]vault.Config{
		"no address": {Token: token}, "no scheme": {Address: "vault:8200", Token: token}, "no token": {Address: "https://vault:8200"},
		"a prefix with a slash": {Address: "https://vault:8200", Token: token, Prefix: "a/b"},
	} {
		if _, err := vault.Open(c); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}
