package crypto

import (
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxDepth is how deep messages may be nested, as the root's codec has it.
const maxDepth = 100

// cut is an encoded payload in two: what stays clear, and what is sealed for each subject. All of them are messages of the same type, so that
// putting them one behind the other gives the whole again: that is how protobuf merges.
type cut struct {
	clear []byte
	parts []part
}

type part struct {
	subject string
	data    []byte
}

func (c *cut) reset() {
	c.clear = c.clear[:0]
	for i := range c.parts {
		c.parts[i].subject, c.parts[i].data = "", c.parts[i].data[:0]
	}
	c.parts = c.parts[:0]
}

// part gives the place where a subject's fields go.
func (c *cut) part(subject string) *part {
	for i := range c.parts {
		if c.parts[i].subject == subject {
			return &c.parts[i]
		}
	}
	if len(c.parts) < cap(c.parts) {
		c.parts = c.parts[:len(c.parts)+1]
	} else {
		c.parts = append(c.parts, part{})
	}
	p := &c.parts[len(c.parts)-1]
	p.subject, p.data = subject, p.data[:0]
	return p
}

// remove takes a part out; its memory is kept.
func (c *cut) remove(i int) {
	last := len(c.parts) - 1
	gone := c.parts[i]
	copy(c.parts[i:], c.parts[i+1:])
	c.parts[last] = gone
	c.parts = c.parts[:last]
}

// cutter cuts one payload.
type cutter struct {
	plan      *plan
	aggregate string
	anybody   bool   // it does not matter whose a field is
	nobody    bool   // what is nobody's stays clear, instead of being an error
	inner     []*cut // by depth
}

// message cuts data into out.
func (k *cutter) message(out *cut, n *node, data []byte, depth int) error {
	if depth > maxDepth {
		return fault("%s: messages are nested deeper than %d", k.plan.name, maxDepth)
	}
	subjects, err := k.subjects(n, data)
	if err != nil {
		return err
	}
	dirty := k.dirty(n, data)
	w := walk(data)
	for w.next() {
		f := n.fields[w.number]
		switch {
		case f == nil:
			if err := k.seal(out, subjects, n.unknown, "an unknown field", w.whole); err != nil {
				return err
			}
		case f.personal:
			if err := k.seal(out, subjects, f.subject, f.name, w.whole); err != nil {
				return err
			}
		case f.inner == nil || !w.isMessage():
			out.clear = append(out.clear, w.whole...)
		case f.repeated:
			if dirty.has(w.number) {
				if err := k.seal(out, subjects, n.unknown, f.name, w.whole); err != nil {
					return err
				}
			} else {
				out.clear = append(out.clear, w.whole...)
			}
		default:
			if err := k.nested(out, f, &w, depth); err != nil {
				return err
			}
		}
	}
	if w.broken {
		return k.broken()
	}
	return nil
}

// nested cuts a single message inside.
func (k *cutter) nested(out *cut, f *field, w *fields, depth int) error {
	for len(k.inner) <= depth {
		k.inner = append(k.inner, &cut{})
	}
	in := k.inner[depth]
	in.reset()
	if err := k.message(in, f.inner, w.content(), depth+1); err != nil {
		return err
	}
	out.clear = w.append(out.clear, in.clear)
	for i := range in.parts {
		p := out.part(in.parts[i].subject)
		p.data = w.append(p.data, in.parts[i].data)
	}
	return nil
}

func (k *cutter) seal(out *cut, subjects []string, subject int, name string, whole []byte) error {
	id := k.aggregate
	if subject > 0 && !k.anybody {
		id = subjects[subject-1]
	}
	if id == "" {
		if k.nobody {
			out.clear = append(out.clear, whole...)
			return nil
		}
		if subject == 0 {
			return fault("%s: %s is sealed for the aggregate id, and there is none", k.plan.name, name)
		}
		return fault("%s: %s is personal, but the field that says whose it is holds nothing; set it first", k.plan.name, name)
	}
	p := out.part(id)
	p.data = append(p.data, whole...)
	return nil
}

func (k *cutter) broken() error {
	return fault("%s: what the inner codec made is no protobuf message", k.plan.name)
}

// subjects reads the subject ids of one message.
func (k *cutter) subjects(n *node, data []byte) ([]string, error) {
	if len(n.subjects) == 0 {
		return nil, nil
	}
	ids := make([]string, len(n.subjects))
	w := walk(data)
	for w.next() {
		for i, s := range n.subjects {
			if s == w.number {
				ids[i] = subjectID(w.typ, w.value)
			}
		}
	}
	if w.broken {
		return nil, k.broken()
	}
	return ids, nil
}

// subjectID gives the text of a field that holds a subject's id: a string as it is, a number in decimal digits.
func subjectID(typ protowire.Type, value []byte) string {
	switch typ {
	case protowire.BytesType:
		b, _ := protowire.ConsumeBytes(value)
		return string(b)
	case protowire.VarintType:
		v, _ := protowire.ConsumeVarint(value)
		return strconv.FormatInt(int64(v), 10)
	case protowire.Fixed32Type:
		v, _ := protowire.ConsumeFixed32(value)
		return strconv.FormatUint(uint64(v), 10)
	case protowire.Fixed64Type:
		v, _ := protowire.ConsumeFixed64(value)
		return strconv.FormatUint(v, 10)
	}
	return ""
}

// numbers is a small set.
type numbers []protowire.Number

func (s numbers) has(n protowire.Number) bool {
	for _, m := range s {
		if m == n {
			return true
		}
	}
	return false
}

// dirty gives the repeated fields and maps that have unknown fields in one of their elements. Elements cannot be put together again from two
// halves, so such a field is sealed as a whole.
func (k *cutter) dirty(n *node, data []byte) (found numbers) {
	if !n.nested {
		return nil
	}
	for w := walk(data); w.next(); {
		f := n.fields[w.number]
		if f != nil && f.repeated && f.inner != nil && !f.personal && w.isMessage() && !found.has(w.number) && f.inner.strange(w.content(), 0) {
			found = append(found, w.number)
		}
	}
	return found
}

// strange tells whether a message has unknown fields anywhere.
func (n *node) strange(data []byte, depth int) bool {
	w := walk(data)
	for w.next() {
		f := n.fields[w.number]
		if depth > maxDepth || f == nil || f.inner != nil && w.isMessage() && f.inner.strange(w.content(), depth+1) {
			return true
		}
	}
	return w.broken
}
