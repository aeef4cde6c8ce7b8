package main

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"runtime"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// sealer is a payload on its way through the codec, and beside it through the standard library's GCM alone, by the same constructor and with 64 bytes of
// associated data. Both write into memory that is there.
type sealer struct {
	codec  *crypto.Codec
	bare   cipher.AEAD
	place  muster.Place
	value  any // muster.Raw, sealed whole
	plain  []byte
	memory []byte
	aad    []byte
}

// seal measures a complete Encode: looking for the key, associated data, envelope, sealing.
func seal(size int) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, _ sizes) (pass, error) {
		s, err := newSealer(ctx, size)
		if err != nil {
			return pass{}, err
		}
		defer s.codec.Close()
		value, raw, allocs, err := inTurns(s.seal, s.sealBare)
		if !c.cfg.raw {
			raw = 0
		}
		return pass{Value: value, Raw: raw, Detail: map[string]float64{"allocs": allocs}}, err
	}
}

// open measures a complete Decode.
func open(size int) func(context.Context, *cluster, sizes) (pass, error) {
	return func(ctx context.Context, c *cluster, _ sizes) (pass, error) {
		s, err := newSealer(ctx, size)
		if err != nil {
			return pass{}, err
		}
		defer s.codec.Close()
		sealed, _, err := s.codec.Encode(nil, s.place, s.value) //nolint:contextcheck // a codec has no context; look-ups have a bound of their own
		if err != nil {
			return pass{}, err
		}
		bare, into := s.bare.Seal(nil, nil, s.plain, s.aad), make(muster.Raw, 0, size)
		value, raw, allocs, err := inTurns(
			func() error { return s.codec.Decode(s.place, sealed, &into) }, //nolint:contextcheck // a codec has no context; look-ups have a bound of their own
			func() error { _, err := s.bare.Open(s.memory, nil, bare, s.aad); return err },
		)
		if err != nil {
			return pass{}, err
		}
		if !c.cfg.raw {
			raw = 0
		}
		again, sealing, _, err := inTurns(func() error { return s.codec.Decode(s.place, sealed, &into) }, s.seal) //nolint:contextcheck // a codec has no context; look-ups have a bound of their own
		return pass{Value: value, Raw: raw, Detail: map[string]float64{"allocs": allocs, "of_seal": again / sealing}}, err
	}
}

func newSealer(ctx context.Context, size int) (*sealer, error) {
	watched := make(chan struct{}, 1)
	codec, err := crypto.Open(ctx, crypto.Config{
		Keys: crypto.NewMemoryKeys(), KMS: crypto.NewMemoryKMS(), SubjectKey: make([]byte, 32), Inner: sameMemory{},
		Types: []crypto.Declaration{crypto.Whole[muster.Raw](nil)},
		Observe: crypto.Observe{Watch: func(bool, error) {
			select {
			case watched <- struct{}{}:
			default:
			}
		}},
	})
	if err != nil {
		return nil, err
	}
	select { // a key that was looked up before is trusted by the clock for a while, which is not the usual case
	case <-watched:
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), codec.Close())
	}
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return nil, err
	}
	bare, err := cipher.NewGCMWithRandomNonce(block)
	plain := make([]byte, size)
	return &sealer{
		codec: codec, bare: bare, plain: plain, value: muster.Raw(plain), memory: make([]byte, 0, 2*size+1024), aad: make([]byte, 64),
		place: muster.Place{
			Purpose: muster.PurposeEvent, Group: "accounts", Type: "bank.Credited", AggregateID: "account-000017", Revision: 42,
			MessageID: "0198f1c2-9d5e-7a33-8a51-1c0f5a2e7b44/0",
		},
	}, err
}

func (s *sealer) seal() error {
	_, _, err := s.codec.Encode(s.memory, s.place, s.value)
	return err
}

func (s *sealer) sealBare() error {
	s.bare.Seal(s.memory, nil, s.plain, s.aad)
	return nil
}

// sameMemory reads raw bytes into the memory that the last ones had, so that the garbage collector is not measured.
type sameMemory struct{ muster.PlainCodec }

func (sameMemory) Decode(place muster.Place, data []byte, into any) error {
	if raw, ok := into.(*muster.Raw); ok {
		*raw = append((*raw)[:0], data...)
		return nil
	}
	return muster.PlainCodec{}.Decode(place, data, into)
}

// inTurns runs two functions in turns and gives the medians of their times per call, in nanoseconds, and the allocations per call of the first. A turn is
// short, so that most are not interrupted.
func inTurns(one, two func() error) (first, second, allocs float64, err error) {
	const rounds, calls = 1001, 500
	times := [2][]float64{}
	for round := range rounds {
		for i, f := range [2]func() error{one, two} {
			begin := time.Now()
			for range calls {
				if err := f(); err != nil {
					return 0, 0, 0, err
				}
			}
			if took := time.Since(begin); round > 0 {
				times[i] = append(times[i], float64(took.Nanoseconds())/calls)
			}
		}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range calls {
		if err := one(); err != nil {
			return 0, 0, 0, err
		}
	}
	runtime.ReadMemStats(&after)
	slices.Sort(times[0])
	slices.Sort(times[1])
	return times[0][rounds/2], times[1][rounds/2], float64(after.Mallocs-before.Mallocs) / calls, nil
}
