package crypto

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/crypto/internal/aesgcm"
	"github.com/seed-3eec0498/muster/internal/mutant"
)

// A key-encryption key lies in the key store as an entry like any other, under a subject that no person has:
//
//	Subject     KEKSubject(tenant)
//	ID          12 zero bytes | generation u32 BE
//	Version     the generation, as is Generation; the active entry is the current one
//	Wrapped     what KMS.Wrap(generation, key, kekAAD(tenant, generation)) gave
//	State       Active, ReadOnly once a later generation wraps, Destroyed after KMS.DestroyGeneration
//
// So the first creator wins as with data keys, and every process hears of a new generation by Watch.

// KEKSubject gives the subject under which the key store has a tenant's key-encryption keys.
func KEKSubject(tenant string) SubjectRef {
	sum := sha256.Sum256([]byte("muster kek 1\x00" + tenant))
	return SubjectRef(sum[:16])
}

// KEKID gives the id under which the key store has the key-encryption key of a generation.
func KEKID(generation uint32) (id KeyID) {
	binary.BigEndian.PutUint32(id[12:], generation)
	return id
}

func kekAAD(tenant string, generation uint32) []byte {
	aad := append([]byte("muster kek 1\x00"), tenant...)
	return binary.BigEndian.AppendUint32(aad, generation)
}

// kek is a key-encryption key, ready for use.
type kek struct {
	generation uint32
	tenant     string
	aead       cipher.AEAD
}

func newKEK(tenant string, generation uint32, key []byte) (*kek, error) {
	if len(key) != keySize {
		return nil, ErrTampered
	}
	aead, err := aesgcm.New(key)
	if err != nil {
		return nil, ErrKeyUnavailable
	}
	return &kek{generation: generation, tenant: tenant, aead: aead}, nil
}

// A wrapped data key is nonce 12 | sealed key 32 | tag 16, with the associated data
//
//	"muster dek 1" 0 | length of tenant u32 BE | tenant | subject_ref 16 | key id 16 | generation u32 BE
func (k *kek) aad(subject SubjectRef, id KeyID) []byte {
	aad := append(make([]byte, 0, 64+len(k.tenant)), "muster dek 1\x00"...)
	aad = binary.BigEndian.AppendUint32(aad, uint32(len(k.tenant)))
	aad = append(aad, k.tenant...)
	aad = append(aad, subject[:]...)
	aad = append(aad, id[:]...)
	return binary.BigEndian.AppendUint32(aad, k.generation)
}

// wrap seals a data key.
func (k *kek) wrap(subject SubjectRef, id KeyID, key []byte) []byte {
	return k.aead.Seal(nil, nil, key, k.aad(subject, id))
}

// unwrap opens what wrap made; [ErrTampered] when it is not for this subject, id and generation.
func (k *kek) unwrap(subject SubjectRef, id KeyID, wrapped []byte) ([]byte, error) {
	key, err := k.aead.Open(nil, nil, wrapped, k.aad(subject, id))
	if err != nil || len(key) != keySize {
		return nil, ErrTampered
	}
	return key, nil
}

// keks opens key-encryption keys, each once.
type keks struct {
	tenant string
	store  KeyStore
	kms    KMS
	now    func() time.Time

	asking chan struct{} // has room for the one who asks the KMS, so that it is asked once

	mu   sync.Mutex // guards open
	open map[uint32]*kek
}

func newKEKs(tenant string, store KeyStore, kms KMS, now func() time.Time) *keks {
	return &keks{tenant: tenant, store: store, kms: kms, now: now, asking: make(chan struct{}, 1), open: map[uint32]*kek{}}
}

// current gives the key-encryption key of the current generation; where there is none yet, it makes the first. Of a tenant that comes late that is the first
// generation whose native key is not destroyed.
func (k *keks) current(ctx context.Context) (*kek, error) {
	e, err := k.store.Active(ctx, KEKSubject(k.tenant))
	if errors.Is(err, ErrKeyMissing) {
		for g := uint32(1); g == 1 || errors.Is(err, ErrShredded) && g < maxGenerations; g++ {
			e, err = k.create(ctx, g)
		}
	}
	if err != nil {
		return nil, kekFault(err)
	}
	return k.opened(ctx, e)
}

// maxGenerations bounds the search for one that lives: a generation a day for a century.
const maxGenerations = 1 << 15

// of gives the key-encryption key of a generation. [ErrKeyMissing] when the key store does not know it or knows that it is destroyed.
func (k *keks) of(ctx context.Context, generation uint32) (*kek, error) {
	if have := k.cached(generation); have != nil {
		return have, nil
	}
	e, err := k.store.Lookup(ctx, KEKSubject(k.tenant), KEKID(generation))
	if err != nil {
		return nil, kekFault(err)
	}
	return k.opened(ctx, e)
}

// create makes the key-encryption key of a generation; another process may be faster, and then its key is the one. ErrShredded: the generation is destroyed.
func (k *keks) create(ctx context.Context, generation uint32) (Entry, error) {
	key := make([]byte, keySize)
	rand.Read(key)
	wrapped, err := k.kms.Wrap(ctx, generation, key, kekAAD(k.tenant, generation))
	if err != nil {
		return Entry{}, err
	}
	return k.store.PutIfAbsent(ctx, Entry{
		Subject: KEKSubject(k.tenant), ID: KEKID(generation), Version: generation, State: EntryActive, Generation: generation,
		Wrapped: wrapped, Created: k.now(),
	})
}

func (k *keks) opened(ctx context.Context, e Entry) (*kek, error) {
	select {
	case k.asking <- struct{}{}:
		defer func() { <-k.asking }()
	case <-ctx.Done():
		return nil, ErrKeyUnavailable
	}
	if have := k.cached(e.Generation); have != nil {
		return have, nil
	}
	if e.State == EntryDestroyed {
		return nil, ErrKeyMissing
	}
	key, err := k.kms.Unwrap(ctx, e.Generation, e.Wrapped, kekAAD(k.tenant, e.Generation))
	if err != nil {
		return nil, kekFault(err)
	}
	fresh, err := newKEK(k.tenant, e.Generation, key)
	clear(key)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open[e.Generation] = fresh
	return fresh, nil
}

func (k *keks) cached(generation uint32) *kek {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.open[generation]
}

// drop forgets a generation.
func (k *keks) drop(generation uint32) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.open, generation)
}

// kekFault is keyFault for a key-encryption key: that one is destroyed says nothing about any subject. A data key that it still wraps was not
// wrapped again in time, or comes from an old copy; so it is missing, and never taken for shredded.
func kekFault(err error) error {
	if errors.Is(err, ErrShredded) {
		return ErrKeyMissing
	}
	return keyFault(err)
}

// keyFault makes one of this package's errors of what a key store or a KMS said: what is none of them means that the key cannot be had now.
func keyFault(err error) error {
	if mutant.MissingIsShredded && errors.Is(err, ErrKeyMissing) {
		return ErrShredded
	}
	for _, fault := range [...]*Fault{ErrShredded, ErrKeyMissing, ErrNoAccess, ErrTampered, ErrUnknownFormat} {
		if errors.Is(err, fault) {
			return fault
		}
	}
	if mutant.UnavailableIsShredded {
		return ErrShredded
	}
	return ErrKeyUnavailable
}
