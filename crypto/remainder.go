package crypto

import (
	"reflect"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
)

// Remainder declares what of the personal fields of a T lies beside them in clear, and is read where they are withheld: a year of a date of birth, the
// last digits of a number. fn is given the whole value and makes a new one, in which only personal fields are set, to what remains of them; a
// nil message means nothing. It changes nothing of what it is given.
func Remainder[T any](fn func(whole T) T) Declaration {
	d := Declaration{of: reflect.TypeFor[T](), what: "Remainder"}
	if fn != nil {
		d.remains = func(v any) any {
			t, _ := valueAs[T](v)
			return fn(t)
		}
	}
	return d
}

// remain puts what remains of personal fields into the clear part.
func (c *Codec) remain(s *scratch, p *plan, place muster.Place, v any) error {
	rest := p.remains(v)
	if r := reflect.ValueOf(rest); !r.IsValid() || r.Kind() == reflect.Pointer && r.IsNil() {
		return nil
	}
	data, content, err := c.inner.Encode(nil, place, rest)
	if err != nil {
		return err
	}
	switch {
	case p.wire != nil && content == muster.ContentProtobuf:
		if !p.wire.allPersonal(data, 0) {
			return fault("%s: its Remainder sets fields that are not personal; set only what remains of personal ones", p.name)
		}
		s.cut.clear = append(s.cut.clear, data...)
		return nil
	case p.object != nil && content == muster.ContentJSON:
		var others cut
		k := objectCutter{plan: p, aggregate: "remainder"}
		if err := k.remainder(&others, p.object, data, 0); err != nil {
			return err
		}
		s.cut.clear, err = p.object.mergeAll(nil, [][]byte{s.cut.clear, others.clear}, 0)
		return err
	}
	return fault("%s: its Remainder was encoded as %s", p.name, content)
}

// remainder keeps the personal members that say something.
func (k *objectCutter) remainder(out *cut, o *object, data []byte, depth int) error {
	out.clear = append(out.clear, '{')
	err := eachMember(data, func(key []byte, name string, value []byte) error {
		m := o.members[name]
		switch {
		case saysNothing(value):
		case m != nil && m.personal:
			out.clear = appendMember(out.clear, key, value)
		case m != nil && m.inner != nil && value[0] == '{' && depth < maxDepth:
			var in cut
			if err := k.remainder(&in, m.inner, value, depth+1); err != nil {
				return err
			}
			out.clear = appendMember(out.clear, key, in.clear)
		default:
			return fault("%s: its Remainder sets fields that are not personal; set only what remains of personal ones", k.plan.name)
		}
		return nil
	})
	out.clear = append(out.clear, '}')
	return err
}

// allPersonal tells whether a message has nothing but personal fields.
func (n *node) allPersonal(data []byte, depth int) bool {
	w := walk(data)
	for w.next() {
		f := n.fields[w.number]
		switch {
		case depth > maxDepth || f == nil:
			return false
		case f.personal:
		case f.inner == nil || f.repeated || !f.inner.allPersonal(w.content(), depth+1):
			return false
		}
	}
	return !w.broken
}

// wireRest appends the clear bytes without what remained there of fields that are in opened: these take its place, they are not added to it.
func (p *plan) wireRest(dst, bare, opened []byte) []byte {
	if p == nil || p.wire == nil || !p.wire.remains(bare, 0) {
		return append(dst, bare...)
	}
	return p.wire.rest(dst, bare, opened, 0)
}

// remains tells whether there are personal fields in clear bytes.
func (n *node) remains(bare []byte, depth int) bool {
	for w := walk(bare); depth <= maxDepth && w.next(); {
		f := n.fields[w.number]
		if f != nil && (f.personal || f.inner != nil && !f.repeated && w.isMessage() && f.inner.remains(w.content(), depth+1)) {
			return true
		}
	}
	return false
}

func (n *node) rest(dst, bare, opened []byte, depth int) []byte {
	w := walk(bare)
	for depth <= maxDepth && w.next() {
		f := n.fields[w.number]
		inside, there := all(opened, w.number)
		switch {
		case f == nil || !there:
			dst = append(dst, w.whole...)
		case f.personal:
		case f.inner != nil && !f.repeated && w.isMessage():
			dst = w.append(dst, f.inner.rest(nil, w.content(), inside, depth+1))
		default:
			dst = append(dst, w.whole...)
		}
	}
	return append(dst, w.rest...)
}

// all gives what a field holds everywhere in data, one behind the other where it is a message.
func all(data []byte, number protowire.Number) (found []byte, there bool) {
	for w := walk(data); w.next(); {
		if w.number == number {
			there = true
			if w.isMessage() {
				found = append(found, w.content()...)
			}
		}
	}
	return found, there
}
