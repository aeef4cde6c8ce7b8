package crypto

import (
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"

	"github.com/seed-3eec0498/muster/crypto/internal/aesgcm"
)

// keySize is the length of every key of this package.
const keySize = aesgcm.KeySize

// A data key is 32 random bytes; what is used of it comes out of HKDF-SHA-256 (RFC 5869) with the infos below and no salt. The key id names the
// key, and commits to it: no second key has the same id, so nothing sealed can be opened under two keys.
const (
	infoSeal = "muster dek seal 1"
	infoID   = "muster dek id 1"
)

// dek is a data key, ready for use.
type dek struct {
	id   KeyID
	aead cipher.AEAD
}

// newKey gives the bytes of a new data key, and its id.
func newKey() (key []byte, id KeyID, err error) {
	key = make([]byte, keySize)
	rand.Read(key)
	id, err = keyID(key)
	return key, id, err
}

func keyID(key []byte) (KeyID, error) {
	id, pseudorandom, err := derived(key)
	clear(pseudorandom)
	return id, err
}

// derived gives the id of a key, and that from which [newDEK] makes what it seals with.
func derived(key []byte) (id KeyID, pseudorandom []byte, err error) {
	if pseudorandom, err = hkdf.Extract(sha256.New, key, nil); err != nil {
		return KeyID{}, nil, ErrKeyUnavailable
	}
	expanded, err := hkdf.Expand(sha256.New, pseudorandom, infoID, len(KeyID{}))
	if err != nil {
		return KeyID{}, nil, ErrKeyUnavailable
	}
	return KeyID(expanded), pseudorandom, nil
}

// newDEK makes a key ready. [ErrTampered] when it is not the one that id commits to.
func newDEK(id KeyID, key []byte) (*dek, error) {
	is, pseudorandom, err := derived(key)
	if err != nil {
		return nil, err
	}
	defer clear(pseudorandom)
	if subtle.ConstantTimeCompare(is[:], id[:]) != 1 {
		return nil, ErrTampered
	}
	secret, err := hkdf.Expand(sha256.New, pseudorandom, infoSeal, keySize)
	if err != nil {
		return nil, ErrKeyUnavailable
	}
	defer clear(secret)
	aead, err := aesgcm.New(secret)
	if err != nil {
		return nil, ErrKeyUnavailable
	}
	return &dek{id: id, aead: aead}, nil
}
