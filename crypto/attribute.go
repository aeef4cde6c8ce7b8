package crypto

import (
	"slices"

	"github.com/seed-3eec0498/muster"
)

var (
	_ muster.Attributor = (*Codec)(nil)
	_ muster.Forgetter  = (*Codec)(nil)
)

// Subjects implements [muster.Attributor]: the references stand in front of the sealed parts, so nothing is opened. What is not sealed, or is damaged, has
// none.
func (c *Codec) Subjects(dst []muster.SubjectRef, data []byte) []muster.SubjectRef {
	if !isSealed(data) {
		return dst
	}
	s := c.pool.Get().(*scratch)
	defer c.pool.Put(s)
	var e envelope
	if e.parse(data, s.parts) != nil {
		return dst
	}
	for i := range e.parts {
		if ref := e.parts[i].ref; !slices.Contains(dst, ref) {
			dst = append(dst, ref)
		}
	}
	clear(e.parts)
	s.parts = e.parts[:0]
	return dst
}

// Forget implements [muster.Forgetter]: no key of the subject is used any more before the key store was asked about it anew.
func (c *Codec) Forget(subject muster.SubjectRef) {
	c.ring.changes.Add(1)
	if s := c.ring.byRef(&subject); s != nil {
		s.revoke(func(*openKey) bool { return true })
	}
}

// For gives a codec that opens nobody's parts but this subject's: those of others are withheld, as from one who has no right to them, and so is what lies
// in clear of them because it was declared personal later. It encodes as this one does.
func (c *Codec) For(subject muster.SubjectRef) muster.Revealer {
	return &onlyFor{c, subject}
}

type onlyFor struct {
	*Codec
	ref SubjectRef
}

// Decode implements [muster.Codec].
func (o *onlyFor) Decode(place muster.Place, data []byte, into any) error {
	_, err := o.Reveal(place, data, into)
	return err
}

// Reveal implements [muster.Revealer].
func (o *onlyFor) Reveal(place muster.Place, data []byte, into any) (muster.Redaction, error) {
	opened := place
	r, err := o.revealFor(&o.ref, &opened, data, into)
	if err != nil || r.Whole() {
		return r, err
	}
	return o.narrow(r, place, data, into)
}
