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

// openKeys gives what seals the personal fields of the bank's messages, with all keys in the owner's directory: good enough to try it out. In production
// the keys lie in a topic or a database that all services share, and what wraps them in a KMS.
func openKeys(dir string) (cfg *crypto.Config, shut func() error, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	secret, err := subjectKey(filepath.Join(dir, "subject.key"))
	if err != nil {
		return nil, nil, err
	}
	kms, err := crypto.OpenFileKMS(filepath.Join(dir, "kms"), nil)
	if err != nil {
		return nil, nil, err
	}
	keys, err := crypto.OpenFileKeys(filepath.Join(dir, "keys"))
	if err != nil {
		return nil, nil, errors.Join(err, kms.Close())
	}
	shut = func() error { return errors.Join(keys.Close(), kms.Close()) }
	return &crypto.Config{Keys: keys, KMS: kms, SubjectKey: secret}, shut, nil
}

// subjectKey reads the secret that makes references of account ids, and makes it the first time.
func subjectKey(path string) ([]byte, error) {
	secret, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secret = make([]byte, 32)
		rand.Read(secret) // never fails, says its documentation
		err = os.WriteFile(path, secret, 0o600)
	}
	if err != nil {
		return nil, fmt.Errorf("the key of references: %w", err)
	}
	return secret, nil
}
