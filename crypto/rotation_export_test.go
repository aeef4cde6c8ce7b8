package crypto

import (
	"context"
	"time"
)

// CreateKey does what a codec does for a subject that has no key, with something that happens between wrapping and storing.
func CreateKey(ctx context.Context, store KeyStore, kms KMS, tenant string, subject SubjectRef, between func()) (Entry, error) {
	k := newKEKs(tenant, store, kms, time.Now)
	wrapping, err := k.current(ctx)
	if err != nil {
		return Entry{}, err
	}
	key, id, err := newKey()
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Subject: subject, ID: id, Version: 1, State: EntryActive, Generation: wrapping.generation, Wrapped: wrapping.wrap(subject, id, key)}
	between()
	held, err := store.PutIfAbsent(ctx, e)
	if err != nil {
		return Entry{}, err
	}
	return k.settle(ctx, held, id, key, wrapping)
}

// OpenKey opens a data key, by a process that has cached nothing.
func OpenKey(ctx context.Context, store KeyStore, kms KMS, tenant string, e Entry) error {
	wrapping, err := newKEKs(tenant, store, kms, time.Now).of(ctx, e.Generation)
	if err != nil {
		return err
	}
	key, err := wrapping.unwrap(e.Subject, e.ID, e.Wrapped)
	if err != nil {
		return err
	}
	_, err = newDEK(e.ID, key)
	return err
}
