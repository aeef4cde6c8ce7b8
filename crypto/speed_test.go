package crypto_test

import (
	"crypto/aes"
	"crypto/cipher"
	"strconv"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

func speedCodec(t testing.TB) *codecWorld {
	return openCodec(t, func(c *crypto.Config) { c.Types = []crypto.Declaration{crypto.Whole[muster.Raw](nil)} })
}

func BenchmarkSeal(b *testing.B) {
	for _, size := range []int{256, 1024, 16384} {
		plain := muster.Raw(make([]byte, size))
		b.Run("codec-"+strconv.Itoa(size), func(b *testing.B) {
			w, place, dst := speedCodec(b), eventAt("p-1", 1), make([]byte, 0, 32<<10)
			var v any = plain
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := w.Encode(dst, place, v); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("bare-"+strconv.Itoa(size), func(b *testing.B) {
			aead, dst, aad := bareGCM(b), make([]byte, 0, 32<<10), make([]byte, 64)
			b.ReportAllocs()
			for b.Loop() {
				aead.Seal(dst, nil, plain, aad)
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for _, size := range []int{256, 1024, 16384} {
		b.Run("codec-"+strconv.Itoa(size), func(b *testing.B) {
			w, place := speedCodec(b), eventAt("p-1", 1)
			data, _, err := w.Encode(nil, place, muster.Raw(make([]byte, size)))
			if err != nil {
				b.Fatal(err)
			}
			var into muster.Raw
			b.ReportAllocs()
			for b.Loop() {
				if err := w.Decode(place, data, &into); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run("bare-"+strconv.Itoa(size), func(b *testing.B) {
			aead, dst, aad := bareGCM(b), make([]byte, 0, 32<<10), make([]byte, 64)
			sealed := aead.Seal(nil, nil, make([]byte, size), aad)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := aead.Open(dst, nil, sealed, aad); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func bareGCM(t testing.TB) cipher.AEAD {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		t.Fatal(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		t.Fatal(err)
	}
	return aead
}
