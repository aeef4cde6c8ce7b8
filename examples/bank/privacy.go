package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-3eec0498/muster/crypto"
)

// keys is what seals the personal fields of the bank's messages, with all keys in the owner's directory: good enough to try it out. In production
// the keys lie in a topic or a database that all services share, and what wraps them in a KMS.
type keys struct {
	sealing *crypto.Config
	index   []byte
	close   func() error
}

// blind gives what an index has in place of a holder. It finds those that are equal; who does not have the key learns nothing from it.
func (k *keys) blind(holder string) string { return crypto.PseudonymousID(k.index, holder) }

func openKeys(dir string) (*keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	subjects, err := secretIn(filepath.Join(dir, "subject.key"))
	if err != nil {
		return nil, err
	}
	index, err := secretIn(filepath.Join(dir, "index.key"))
	if err != nil {
		return nil, err
	}
	kms, err := crypto.OpenFileKMS(filepath.Join(dir, "kms"), nil)
	if err != nil {
		return nil, err
	}
	store, err := crypto.OpenFileKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return nil, errors.Join(err, kms.Close())
	}
	return &keys{
		sealing: &crypto.Config{Keys: store, KMS: kms, SubjectKey: subjects}, index: index,
		close: func() error { return errors.Join(store.Close(), kms.Close()) },
	}, nil
}

// secretIn reads the secret in a file, and makes it the first time.
func secretIn(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails, says its documentation
		err = os.WriteFile(path, secret, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("the secret in %s: %w", path, err)
	}
	return secret, nil
}
