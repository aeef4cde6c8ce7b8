package crypto

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster"
)

// Codec seals personal data on its way out and opens it on its way in, around another codec. Make it with [Open]. It is used by many goroutines at
// once.
type Codec struct {
	cfg   Config
	inner muster.Codec
	ring  *keyring
	plans plans

	end    context.CancelFunc
	joined sync.WaitGroup
	pool   sync.Pool // of *scratch
}

// Open makes a codec and begins to watch the key store. The error reports everything that is wrong with cfg and the types it declares. The codec
// works until Close.
func Open(ctx context.Context, cfg Config) (*Codec, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c := &Codec{cfg: cfg.filled()}
	c.inner = c.cfg.Inner
	c.pool.New = func() any { return &scratch{} }
	if err := c.plans.declare(cfg.Types); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	c.end = end
	c.ring = newKeyring(life, &c.cfg)
	c.joined.Go(func() { c.ring.watch.run(life) })
	c.joined.Go(func() { c.ring.run(life) })
	return c, nil
}

// Close ends the watch and all look-ups, and forgets the keys. What is encoded or decoded later gets [ErrKeyUnavailable] where it needs a key.
func (c *Codec) Close() error {
	c.end()
	c.joined.Wait()
	c.ring.forget()
	return nil
}

// CheckTypes implements [muster.TypeChecker]: it reports every fault in how the types declare what is personal, by field and rule.
func (c *Codec) CheckTypes(types ...reflect.Type) error { return c.plans.check(types) }

// scratch is the memory of one call.
type scratch struct {
	plain  []byte
	cut    cut
	inner  []*cut
	aad    []byte
	keys   []*openKey
	parts  []sealedPart
	opened int         // parts
	ends   []int       // of these, in plain
	only   *SubjectRef // nil: whoever's parts may be opened are
	nobody bool        // what is nobody's stays clear when it is cut
	whole  []byte
	recent recent
}

// Encode implements [muster.Codec]: personal data is sealed for its subjects. A payload of a type that has none is what the inner codec makes of
// it. The error is one of this package's about keys, or says what is wrong with the value: [ErrShredded] where something is to be sealed for a
// subject whose keys are destroyed. In a state or a row that is left out instead.
func (c *Codec) Encode(dst []byte, place muster.Place, v any) ([]byte, string, error) {
	s := c.pool.Get().(*scratch)
	dst, content, err := c.encode(dst, s, &place, v, nil)
	c.pool.Put(s)
	return dst, content, err
}

// encode seals a value and, where into is not nil, reads it back.
func (c *Codec) encode(dst []byte, s *scratch, place *muster.Place, v, into any) ([]byte, string, error) {
	p, err := s.recent.of(&c.plans, v)
	if err != nil {
		return nil, "", err
	}
	switch {
	case place.Purpose == muster.PurposeDeadLetter:
		p = &wholeLetter
	case p == nil || !p.personal: // the usual case of types without personal data
		out, content, ok, err := c.plain(dst, p, place, v)
		if err == nil && ok && into != nil {
			err = c.readBack(place, out[len(dst):], content, into)
		}
		if ok || err != nil {
			return out, content, err
		}
	}
	if dst, err = c.split(dst, s, p, place, v, into); err != nil {
		return nil, "", err
	}
	return dst, muster.ContentSealed, nil
}

// split encodes a value, cuts it and seals what was cut.
func (c *Codec) split(dst []byte, s *scratch, p *plan, place *muster.Place, v, into any) ([]byte, error) {
	plain, content, err := c.inner.Encode(s.plain[:0], *place, v)
	if err != nil {
		return nil, err
	}
	s.plain = plain
	if into != nil {
		if err := c.readBack(place, plain, content, into); err != nil {
			return nil, err
		}
	}
	s.cut.reset()
	if err := p.cut(s, place, v, plain, content); err != nil {
		return nil, err
	}
	if p.remains != nil {
		if err := c.remain(s, p, *place, v); err != nil {
			return nil, err
		}
	}
	return c.seal(dst, s, place, content)
}

// plain is for types about which nothing is declared. It is not ok where a message has fields that are unknown here: they may be personal. What looks
// like an envelope is put into one, so that nobody takes it for one later.
func (c *Codec) plain(dst []byte, p *plan, place *muster.Place, v any) (out []byte, content string, ok bool, err error) {
	begin := len(dst)
	out, content, err = c.inner.Encode(dst, *place, v)
	switch {
	case err != nil:
		return nil, "", false, err
	case p != nil && content == muster.ContentProtobuf && p.wire.strange(out[begin:], 0):
		return nil, "", false, nil
	case isSealed(out[begin:]):
		return appendFront(out[:begin], content, 0, append([]byte(nil), out[begin:]...)), muster.ContentSealed, true, nil
	}
	return out, content, true, nil
}

// seal writes what was cut as an envelope.
func (c *Codec) seal(dst []byte, s *scratch, place *muster.Place, content string) ([]byte, error) {
	s.keys = s.keys[:0]
	uncached := int64(0)
	for i := 0; i < len(s.cut.parts); i++ {
		p := &s.cut.parts[i]
		k, cached, err := c.ring.sealing(p.subject, len(p.data))
		if err != nil {
			if errors.Is(err, ErrShredded) && keepsOthers(place.Purpose) {
				s.cut.remove(i)
				i--
				continue
			}
			return nil, err
		}
		if !cached {
			uncached++
		}
		s.keys = append(s.keys, k)
	}
	dst = slices.Grow(dst, s.cut.room(content)) // at once, not field by field
	dst = appendFront(dst, content, len(s.cut.parts), s.cut.clear)
	for i, k := range s.keys {
		plain := s.cut.parts[i].data
		dst = appendPart(dst, &k.subject, len(plain)+overhead)
		dst = appendHead(dst, place.Purpose, &k.id)
		s.aad = appendAAD(s.aad[:0], dst[len(dst)-headSize:], content, c.cfg.Tenant, place, &k.subject, i, len(s.keys), s.cut.clear)
		dst = k.aead.Seal(dst, nil, plain, s.aad)
	}
	c.ring.stats.sealed.Add(int64(len(s.keys)))
	if uncached > 0 {
		c.ring.stats.uncached.Add(uncached)
	}
	return dst, nil
}

// keepsOthers tells where an erased subject's data is left out: a state or row goes on for all others that are in it.
func keepsOthers(p muster.Purpose) bool { return p == muster.PurposeState || p == muster.PurposeRow }

// Decode implements [muster.Codec]. Fields whose subject's keys are destroyed, or that this process has no right to read, are absent and that is no
// error; [Codec.Reveal] tells which. Every other reason why a part cannot be opened is an error of this package, and then nothing is known about
// the payload.
func (c *Codec) Decode(place muster.Place, data []byte, into any) error {
	_, err := c.revealFor(nil, &place, data, into)
	return err
}

// Reveal implements [muster.Revealer].
func (c *Codec) Reveal(place muster.Place, data []byte, into any) (muster.Redaction, error) {
	return c.revealFor(nil, &place, data, into)
}

func (c *Codec) revealFor(only *SubjectRef, place *muster.Place, data []byte, into any) (muster.Redaction, error) {
	if !isSealed(data) {
		return muster.Redaction{}, c.inClear(*place, data, into)
	}
	s := c.pool.Get().(*scratch)
	s.only = only
	redaction, err := c.reveal(s, place, data, into)
	s.only = nil
	c.pool.Put(s)
	if err != nil {
		if f, ok := errors.AsType[*Fault](err); ok {
			c.cfg.Observe.fault(f)
		}
	}
	return redaction, err
}

// inClear reads a payload that is not sealed.
func (c *Codec) inClear(place muster.Place, data []byte, into any) error {
	if place.ContentType == muster.ContentSealed {
		return ErrUnknownFormat
	}
	if c.cfg.RequireSealed {
		if p, err := c.plans.of(into); err != nil {
			return err
		} else if p != nil && p.personal {
			return ErrUnknownFormat
		}
	}
	return c.inner.Decode(place, data, into)
}

var (
	_ muster.Sealer      = (*Codec)(nil)
	_ muster.TypeChecker = (*Codec)(nil)
)
