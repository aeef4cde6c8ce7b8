package crypto

import (
	"errors"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// reveal opens what can be opened of an envelope and decodes it.
func (c *Codec) reveal(s *scratch, place *muster.Place, data []byte, into any) (muster.Redaction, error) {
	p, err := s.recent.of(&c.plans, into)
	if err != nil {
		return muster.Redaction{}, err
	}
	var e envelope
	if err := e.parse(data, s.parts); err != nil {
		return muster.Redaction{}, err
	}
	s.parts = e.parts
	place.ContentType = e.content
	shredded, denied, err := c.openParts(s, &e, place)
	if err != nil {
		return muster.Redaction{}, err
	}
	withheld := len(shredded) + len(denied)
	if withheld == len(e.parts) && len(e.clear) == 0 && (p == nil || p.whole) {
		switch {
		case len(e.parts) == 0 && !keepsOthers(place.Purpose):
			return muster.Redaction{}, ErrUnknownFormat
		case len(denied) > 0:
			return muster.Redaction{Access: muster.AccessDenied, Denied: true}, nil
		}
		return muster.Redaction{Access: muster.AccessShredded}, nil
	}
	whole, err := p.merge(s, &e)
	if err != nil {
		return muster.Redaction{}, err
	}
	if err := c.inner.Decode(*place, whole, into); err != nil {
		return muster.Redaction{}, err
	}
	if withheld == 0 {
		return muster.Redaction{}, nil
	}
	r := muster.Redaction{Access: muster.AccessPartial, Paths: c.paths(p, &e, place.AggregateID, append(shredded, denied...)), Denied: len(denied) > 0}
	switch {
	case withheld < len(e.parts):
	case len(denied) > 0:
		r.Access = muster.AccessDenied
	default:
		r.Access = muster.AccessShredded
	}
	return r, nil
}

// openParts opens every part into s.cut.parts, in order; those that are withheld have no data there. Heads are looked at before any key is asked for.
func (c *Codec) openParts(s *scratch, e *envelope, place *muster.Place) (shredded, denied []SubjectRef, err error) {
	for i := range e.parts {
		if err := checkBlob(e.parts[i].blob, place.Purpose); err != nil {
			return nil, nil, err
		}
	}
	s.opened, s.ends = 0, s.ends[:0]
	s.plain = s.plain[:0]
	uncached := int64(0)
	for i := range e.parts {
		p := &e.parts[i]
		if s.only != nil && p.ref != *s.only {
			denied = append(denied, p.ref)
			continue
		}
		id := (*KeyID)(p.blob[4:headSize])
		// before the look-up, not after it: a processor that reads at once what it has just written in small pieces has to wait
		s.aad = appendAAD(s.aad[:0], p.blob[:headSize], e.content, c.cfg.Tenant, place, &p.ref, i, len(e.parts), e.clear)
		k, cached, err := c.ring.opening(&p.ref, id)
		switch {
		case err == nil:
		case errors.Is(err, ErrShredded):
			shredded = append(shredded, p.ref)
			continue
		case errors.Is(err, ErrNoAccess):
			denied = append(denied, p.ref)
			continue
		default:
			return nil, nil, err
		}
		plain, err := k.aead.Open(s.plain, nil, p.blob[headSize:], s.aad)
		if err != nil {
			return nil, nil, ErrTampered
		}
		if !cached {
			uncached++
		}
		s.plain = plain
		s.opened, s.ends = s.opened+1, append(s.ends, len(plain))
	}
	c.ring.stats.opened.Add(int64(s.opened))
	if uncached > 0 {
		c.ring.stats.uncached.Add(uncached)
	}
	return shredded, denied, nil
}

// Likeness implements [muster.Sealer]: content type and clear bytes, and whose the parts are.
func (c *Codec) Likeness(dst, data []byte) []byte {
	s := c.pool.Get().(*scratch)
	defer c.pool.Put(s)
	var e envelope
	if e.parse(data, s.parts) != nil {
		return append(dst, data...)
	}
	dst = slices.Grow(dst, 4+len(e.content)+len(e.parts)*len(SubjectRef{})+len(e.clear))
	dst = appendText(dst, e.content)
	for i := range e.parts {
		dst = append(dst, e.parts[i].ref[:]...)
	}
	clear(e.parts)
	s.parts = e.parts[:0]
	return append(dst, e.clear...)
}
