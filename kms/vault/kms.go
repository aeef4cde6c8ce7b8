// Package vault makes a KMS of Muster out of the transit engine of HashiCorp Vault or OpenBao: one transit key for each generation, which never leaves
// Vault. It is a module of its own and speaks to Vault's HTTP API with the standard library alone.
//
// Keys are of type aes256-gcm96, named <prefix>-<generation>; what is wrapped is bound by the parameter associated_data ("context" binds nothing for keys that
// are not derived). DestroyGeneration first makes a second key, <prefix>-<generation>-destroyed, as the mark that the generation is gone and may not be made
// again, then allows deletion and deletes the key. Vault's own backups, and snapshots of its storage, still have a deleted key: they have to expire before an
// erasure has reached every copy.
//
// The token needs, on <mount>/: create and update on keys/<prefix>-*, read on keys/<prefix>-*, update on encrypt/<prefix>-* and decrypt/<prefix>-*; whoever
// destroys needs update on keys/<prefix>-*/config and delete on keys/<prefix>-*, which services should not have.
//
// The tests run against a fake of the transit API in this package, written from its documentation, and not against Vault itself.
package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// Config says which Vault. Address and Token must be set.
type Config struct {
	Address   string // "https://vault:8200"
	Namespace string // of Vault Enterprise; empty for none
	Mount     string // of the transit engine; empty means "transit"
	Prefix    string // of the names of keys; empty means "muster"
	// Token gives the token to use now; it is asked for each request, so that a renewed one is taken. It must be safe for concurrent use.
	Token func(ctx context.Context) (string, error)
	// Client sends requests. Nil means one with a timeout of 10 s.
	Client *http.Client
}

var prefixes = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// Open checks the configuration; it sends nothing.
func Open(c Config) (crypto.KMS, error) {
	if c.Mount == "" {
		c.Mount = "transit"
	}
	if c.Prefix == "" {
		c.Prefix = "muster"
	}
	if c.Client == nil {
		c.Client = &http.Client{Timeout: 10 * time.Second}
	}
	address, err := url.Parse(c.Address)
	switch {
	case err != nil || address.Host == "" || address.Scheme != "https" && address.Scheme != "http":
		return nil, fmt.Errorf("vault: address %q; give one such as https://vault:8200", c.Address)
	case c.Token == nil:
		return nil, errors.New("vault: Token is missing; give a function that returns the token to use")
	case !prefixes.MatchString(c.Prefix):
		return nil, fmt.Errorf("vault: prefix %q; give up to 64 letters, digits, dots, dashes or underscores", c.Prefix)
	}
	return &kms{config: c, root: strings.TrimSuffix(c.Address, "/") + "/v1/" + strings.Trim(c.Mount, "/") + "/"}, nil
}

type kms struct {
	config Config
	root   string
}

func (k *kms) name(generation uint32) string {
	return k.config.Prefix + "-" + strconv.FormatUint(uint64(generation), 10)
}

func (k *kms) mark(generation uint32) string { return k.name(generation) + "-destroyed" }

// Wrap implements [crypto.KMS].
func (k *kms) Wrap(ctx context.Context, generation uint32, key, aad []byte) ([]byte, error) {
	name := k.name(generation)
	there, err := k.there(ctx, name)
	if err == nil && !there {
		if err = k.alive(ctx, generation); err == nil {
			err = k.create(ctx, name)
		}
	}
	if err != nil {
		return nil, err
	}
	var answer struct{ Ciphertext string }
	if err := k.call(ctx, http.MethodPost, "encrypt/"+name, binding(aad, "plaintext", base64.StdEncoding.EncodeToString(key)), &answer); err != nil {
		return nil, k.judged(ctx, generation, err)
	}
	if err := k.alive(ctx, generation); err != nil { // it may have been destroyed, and made again by this call
		return nil, err
	}
	return []byte(answer.Ciphertext), nil
}

// Unwrap implements [crypto.KMS].
func (k *kms) Unwrap(ctx context.Context, generation uint32, wrapped, aad []byte) ([]byte, error) {
	var answer struct{ Plaintext string }
	if err := k.call(ctx, http.MethodPost, "decrypt/"+k.name(generation), binding(aad, "ciphertext", string(wrapped)), &answer); err != nil {
		return nil, k.judged(ctx, generation, err)
	}
	key, err := base64.StdEncoding.DecodeString(answer.Plaintext)
	if err != nil {
		return nil, fmt.Errorf("%w: Vault's answer is not base64", crypto.ErrKeyUnavailable)
	}
	return key, nil
}

// DestroyGeneration implements [crypto.KMS]. The mark comes first: a process that dies in between leaves a generation that is used no more.
func (k *kms) DestroyGeneration(ctx context.Context, generation uint32) error {
	if err := k.create(ctx, k.mark(generation)); err != nil {
		return err
	}
	name := k.name(generation)
	there, err := k.there(ctx, name)
	if err != nil || !there {
		return err
	}
	if err := k.call(ctx, http.MethodPost, "keys/"+name+"/config", map[string]any{"deletion_allowed": true}, nil); err != nil {
		return fault(err)
	}
	if err := k.call(ctx, http.MethodDelete, "keys/"+name, nil, nil); err != nil {
		return fault(err)
	}
	if there, err = k.there(ctx, name); err == nil && there {
		err = fmt.Errorf("%w: Vault still has %s after its deletion", crypto.ErrKeyUnavailable, name)
	}
	return err
}

func (k *kms) create(ctx context.Context, name string) error {
	err := k.call(ctx, http.MethodPost, "keys/"+name, map[string]any{"type": "aes256-gcm96", "exportable": false, "allow_plaintext_backup": false}, nil)
	return fault(err)
}

// there tells whether Vault has a key.
func (k *kms) there(ctx context.Context, name string) (bool, error) {
	err := k.call(ctx, http.MethodGet, "keys/"+name, nil, nil)
	if refused, is := errors.AsType[*refusal](err); is && refused.status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, fault(err)
}

// alive fails with ErrShredded when a generation is marked as destroyed.
func (k *kms) alive(ctx context.Context, generation uint32) error {
	marked, err := k.there(ctx, k.mark(generation))
	if err == nil && marked {
		return crypto.ErrShredded
	}
	return err
}

// judged says why a key was refused. A destroyed generation comes before all else: what remains of it says nothing.
func (k *kms) judged(ctx context.Context, generation uint32, err error) error {
	refused, is := errors.AsType[*refusal](err)
	if !is || refused.status != http.StatusBadRequest && refused.status != http.StatusNotFound {
		return fault(err)
	}
	if err := k.alive(ctx, generation); err != nil {
		return err
	}
	switch {
	case refused.says("encryption key not found", "no existing key named"):
		return crypto.ErrKeyMissing
	case refused.says("message authentication failed", "invalid ciphertext", "missing ciphertext"):
		return crypto.ErrTampered
	}
	return fault(err)
}

func binding(aad []byte, name, value string) map[string]any {
	body := map[string]any{name: value}
	if len(aad) > 0 {
		body["associated_data"] = base64.StdEncoding.EncodeToString(aad)
	}
	return body
}
