// Package aesgcm makes the one cipher that package crypto seals with. It is a package of its own for the vectors of crypto/wycheproof, which hold it
// against attacks on AES-GCM that are known.
package aesgcm

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// KeySize is the length of a key: AES-256.
const KeySize = 32

// New gives AES-256-GCM (NIST SP 800-38D) that draws a random nonce of 12 bytes for whatever it seals. What it gives and opens is nonce, ciphertext and a
// tag of 16 bytes; nobody can give it a nonce. It works under GODEBUG=fips140=only.
func New(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, errors.New("aesgcm: a key has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}
