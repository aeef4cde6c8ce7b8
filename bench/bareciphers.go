package main

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"sync"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/bench/benchpb"
)

// bareCiphers is the least that a codec can do which seals entries: one call of the standard library's AES-256-GCM for each, with a key for each
// aggregate. It has no envelope, binds a payload to no place, sees to no keys, and nobody can be erased.
type bareCiphers struct {
	muster.PlainCodec
	keys   sync.Map  // cipher.AEAD by aggregate
	memory sync.Pool // of *[]byte
	aad    [64]byte
}

func (c *bareCiphers) key(aggregate string) (cipher.AEAD, error) {
	if k, known := c.keys.Load(aggregate); known {
		return k.(cipher.AEAD), nil
	}
	key := sha256.Sum256([]byte(aggregate))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err == nil {
		c.keys.Store(aggregate, aead)
	}
	return aead, err
}

// Encode implements [muster.Codec].
func (c *bareCiphers) Encode(dst []byte, place muster.Place, v any) ([]byte, string, error) {
	data, contentType, _, err := c.Echo(dst, place, v, nil)
	return data, contentType, err
}

// Echo implements [muster.Echoer]: the codec of package crypto is one, too.
func (c *bareCiphers) Echo(dst []byte, place muster.Place, v, into any) (data []byte, contentType string, _ muster.Redaction, err error) {
	memory := c.scratch()
	defer c.memory.Put(memory)
	plain, contentType, err := c.PlainCodec.Encode((*memory)[:0], place, v)
	if err != nil {
		return nil, "", muster.Redaction{}, err
	}
	*memory = plain
	if into != nil {
		place.ContentType = contentType
		if err := c.PlainCodec.Decode(place, plain, into); err != nil {
			return nil, "", muster.Redaction{}, err
		}
	}
	if _, is := v.(*benchpb.Entry); !is {
		return append(dst, plain...), contentType, muster.Redaction{}, nil
	}
	aead, err := c.key(place.AggregateID)
	if err != nil {
		return nil, "", muster.Redaction{}, err
	}
	if dst == nil {
		dst = make([]byte, 0, len(plain)+aead.Overhead())
	}
	return aead.Seal(dst, nil, plain, c.aad[:]), contentType, muster.Redaction{}, nil
}

// Decode implements [muster.Codec].
func (c *bareCiphers) Decode(place muster.Place, data []byte, into any) error {
	if _, is := into.(*benchpb.Entry); !is {
		return c.PlainCodec.Decode(place, data, into)
	}
	aead, err := c.key(place.AggregateID)
	if err != nil {
		return err
	}
	memory := c.scratch()
	defer c.memory.Put(memory)
	plain, err := aead.Open((*memory)[:0], nil, data, c.aad[:])
	if err != nil {
		return err
	}
	*memory = plain
	return c.PlainCodec.Decode(place, plain, into)
}

// Reveal implements [muster.Revealer].
func (c *bareCiphers) Reveal(place muster.Place, data []byte, into any) (muster.Redaction, error) {
	return muster.Redaction{}, c.Decode(place, data, into)
}

// scratch lends memory, until it is put back.
func (c *bareCiphers) scratch() *[]byte {
	if m, is := c.memory.Get().(*[]byte); is {
		return m
	}
	return new([]byte)
}

var _ muster.Echoer = (*bareCiphers)(nil)
