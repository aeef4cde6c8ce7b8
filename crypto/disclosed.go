package crypto

import (
	"reflect"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/seed-3eec0498/muster"
)

var _ muster.Discloser = (*Codec)(nil)

// nobody is the reference of no subject: a codec bound to it opens nothing and asks for no key.
var nobody SubjectRef

// Disclosed implements [muster.Discloser]. What remains of personal fields by a [Remainder] is meant to lie in clear, so a sealed payload of a type that
// has one discloses nothing; nor does one that was sealed as a whole.
func (c *Codec) Disclosed(dst []SubjectRef, place muster.Place, data []byte, into any) ([]SubjectRef, error) {
	if p, err := c.plans.of(into); err != nil || !p.mayDisclose(data) {
		return dst, err
	}
	opened := place
	withheld, err := c.revealFor(&nobody, &opened, data, into)
	if err != nil || withheld.Whole() {
		return dst, err
	}
	s := c.pool.Get().(*scratch)
	defer c.pool.Put(s)
	_, _, err = c.recut(s, place, data, into)
	for i := range s.cut.parts {
		if ref := c.Ref(s.cut.parts[i].subject); !slices.Contains(dst, ref) {
			dst = append(dst, ref)
		}
	}
	return dst, err
}

// mayDisclose tells whether a payload can hold anything that would be sealed today, without decoding it: most types declare nothing, and there can be
// millions of them to look at.
func (p *plan) mayDisclose(data []byte) bool {
	return p != nil && (p.personal || isSealed(data) || p.wire != nil && p.wire.strange(data, 0))
}

// recut cuts a value that was decoded from data as Encode would. There is no plan where nothing is to be cut.
func (c *Codec) recut(s *scratch, place muster.Place, data []byte, into any) (p *plan, content string, err error) {
	s.cut.reset()
	v := into
	if _, is := into.(proto.Message); !is {
		v = reflect.Indirect(reflect.ValueOf(into)).Interface()
	}
	if p, err = s.recent.of(&c.plans, v); err != nil || p == nil || p.remains != nil && isSealed(data) {
		return nil, "", err
	}
	if s.plain, content, err = c.inner.Encode(s.plain[:0], place, v); err != nil {
		return nil, "", err
	}
	if p.whole && p.subjectOf(&place, v) == "" {
		return nil, "", nil
	}
	s.nobody = true // Encode refuses what is nobody's; here it was written already
	err = p.cut(s, &place, v, s.plain, content)
	s.nobody = false
	return p, content, err
}

// narrow takes out of what was decoded for one subject what lies there in clear of others.
func (o *onlyFor) narrow(r muster.Redaction, place muster.Place, data []byte, into any) (muster.Redaction, error) {
	s := o.pool.Get().(*scratch)
	defer o.pool.Put(s)
	p, content, err := o.recut(s, place, data, into)
	if err != nil || p == nil {
		return r, err
	}
	var others []SubjectRef
	var own []byte
	e := envelope{content: content, clear: s.cut.clear}
	for i := range s.cut.parts {
		part := sealedPart{ref: o.Ref(s.cut.parts[i].subject)}
		e.parts = append(e.parts, part)
		if part.ref == o.ref {
			own = s.cut.parts[i].data
		} else {
			others = append(others, part.ref)
		}
	}
	if len(others) == 0 {
		return r, nil
	}
	if m, is := into.(proto.Message); is {
		proto.Reset(m)
	} else {
		reflect.ValueOf(into).Elem().SetZero()
	}
	if p.whole {
		return muster.Redaction{Access: muster.AccessDenied, Denied: true}, nil
	}
	s.opened, s.ends, s.plain = 0, s.ends[:0], append(s.plain[:0], own...)
	if len(own) > 0 {
		s.opened, s.ends = 1, append(s.ends, len(own))
	}
	whole, err := p.merge(s, &e)
	if err != nil {
		return r, err
	}
	place.ContentType = content
	for _, path := range o.paths(p, &e, place.AggregateID, others) {
		if !slices.Contains(r.Paths, path) {
			r.Paths = append(r.Paths, path)
		}
	}
	r.Access, r.Denied = muster.AccessPartial, true
	return r, o.inner.Decode(place, whole, into)
}
