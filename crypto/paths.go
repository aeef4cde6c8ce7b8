package crypto

import "google.golang.org/protobuf/encoding/protowire"

// otherPath stands for what is absent and has no name here: fields that this build does not know, or of a type it was not asked for.
const otherPath = "?"

// paths gives the fields that are absent because they are those subjects'; never none.
func (c *Codec) paths(p *plan, e *envelope, aggregate string, withheld []SubjectRef) []string {
	w := pathWalk{codec: c, withheld: withheld, cutter: cutter{plan: p, aggregate: aggregate}}
	switch {
	case p == nil:
	case p.wire != nil:
		w.message(p.wire, "", e.clear, 0)
	case p.object != nil:
		w.object(p.object, "", e.clear, 0)
	}
	if len(w.found) == 0 {
		return []string{otherPath}
	}
	return w.found
}

type pathWalk struct {
	codec    *Codec
	cutter   cutter
	withheld []SubjectRef
	found    []string
}

func (w *pathWalk) message(n *node, prefix string, data []byte, depth int) {
	ids, err := w.cutter.subjects(n, data)
	if err != nil || depth > maxDepth {
		return
	}
	for _, f := range n.order {
		id := w.cutter.aggregate
		if f.subject > 0 {
			id = ids[f.subject-1]
		}
		switch {
		case f.personal && w.has(id):
			w.found = append(w.found, prefix+f.short)
		case !f.personal && !f.repeated && f.inner != nil:
			if inside, ok := last(data, f.number); ok {
				w.message(f.inner, prefix+f.short+".", inside, depth+1)
			}
		}
	}
}

func (w *pathWalk) has(id string) bool {
	ref := w.codec.Ref(id)
	for _, other := range w.withheld {
		if other == ref {
			return true
		}
	}
	return false
}

// last gives the message that a field holds.
func last(data []byte, number protowire.Number) (found []byte, ok bool) {
	for w := walk(data); w.next(); {
		if w.number == number && w.isMessage() {
			found, ok = w.content(), true
		}
	}
	return found, ok
}

func (w *pathWalk) object(o *object, prefix string, data []byte, depth int) {
	ids, err := o.ids(data)
	if err != nil || depth > maxDepth {
		return
	}
	inside := map[string][]byte{}
	_ = eachMember(data, func(_ []byte, name string, value []byte) error {
		inside[name] = value
		return nil
	})
	for _, m := range o.order {
		id := w.cutter.aggregate
		if m.subject > 0 {
			id = ids[m.subject-1]
		}
		if value := inside[m.json]; m.personal && w.has(id) {
			w.found = append(w.found, prefix+m.short)
		} else if !m.personal && m.inner != nil && len(value) > 0 {
			w.object(m.inner, prefix+m.short+".", value, depth+1)
		}
	}
}
