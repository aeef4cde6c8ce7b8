package crypto

import (
	"bytes"
	"encoding/json"
)

// object is one struct type, as its JSON is cut.
type object struct {
	members  map[string]*member // by name in JSON
	order    []*member
	subjects []string // names of the members that hold subject ids; where a member says subject 1, this is subjects[0]
	unknown  int
}

type member struct {
	json     string
	short    string // the Go field's name
	name     string // in full, for errors
	personal bool
	subject  int
	inner    *object // of a struct that has personal fields inside
}

// objectCutter cuts the JSON of one payload. A value that says nothing (null, "", 0, false, [], {}) stays in clear, as protobuf leaves it out.
type objectCutter struct {
	plan      *plan
	aggregate string
	anybody   bool // it does not matter whose a field is
	nobody    bool // what is nobody's stays clear, instead of being an error
}

func (k *objectCutter) object(out *cut, o *object, data []byte, depth int) error {
	if depth > maxDepth {
		return fault("%s: objects are nested deeper than %d", k.plan.name, maxDepth)
	}
	ids, err := o.ids(data)
	if err != nil {
		return k.broken()
	}
	out.clear = append(out.clear, '{')
	err = eachMember(data, func(key []byte, name string, value []byte) error {
		m := o.members[name]
		subject := o.unknown
		switch {
		case saysNothing(value):
			out.clear = appendMember(out.clear, key, value)
			return nil
		case m == nil:
		case m.personal:
			subject = m.subject
		case m.inner != nil && value[0] == '{':
			return k.nested(out, m, key, value, depth)
		default:
			out.clear = appendMember(out.clear, key, value)
			return nil
		}
		id := k.aggregate
		if subject > 0 && !k.anybody {
			id = ids[subject-1]
		}
		if id == "" {
			if k.nobody {
				out.clear = appendMember(out.clear, key, value)
				return nil
			}
			return fault("%s: a field is personal, but what says whose it is holds nothing; set it first", k.plan.name)
		}
		p := out.part(id)
		p.data = appendMember(openObject(p.data), key, value)
		return nil
	})
	if err != nil {
		return err
	}
	out.clear = append(out.clear, '}')
	for i := range out.parts {
		out.parts[i].data = append(out.parts[i].data, '}')
	}
	return nil
}

// nested cuts an object inside.
func (k *objectCutter) nested(out *cut, m *member, key, value []byte, depth int) error {
	var in cut
	if err := k.object(&in, m.inner, value, depth+1); err != nil {
		return err
	}
	out.clear = appendMember(out.clear, key, in.clear)
	for i := range in.parts {
		p := out.part(in.parts[i].subject)
		p.data = appendMember(openObject(p.data), key, in.parts[i].data)
	}
	return nil
}

func (k *objectCutter) broken() error {
	return fault("%s: what the inner codec made is no JSON object", k.plan.name)
}

// ids gives the subject ids of one object.
func (o *object) ids(data []byte) ([]string, error) {
	if len(o.subjects) == 0 {
		return nil, nil
	}
	ids := make([]string, len(o.subjects))
	return ids, eachMember(data, func(_ []byte, name string, value []byte) error {
		for i, s := range o.subjects {
			if s == name {
				ids[i] = idText(value)
			}
		}
		return nil
	})
}

// idText gives what a string holds, a number as it stands.
func idText(value []byte) string {
	var s string
	switch {
	case saysNothing(value):
		return ""
	case value[0] == '"' && json.Unmarshal(value, &s) == nil:
		return s
	}
	return string(value)
}

// merge puts clear and opened parts together: what is in a part takes the place of what is in clear. ends says where each part ends in opened.
func (o *object) merge(dst, bare []byte, ends []int, opened []byte) ([]byte, error) {
	all := [][]byte{bare}
	begin := 0
	for _, end := range ends {
		all = append(all, opened[begin:end])
		begin = end
	}
	return o.mergeAll(dst, all, 0)
}

func (o *object) mergeAll(dst []byte, all [][]byte, depth int) ([]byte, error) {
	type found struct {
		key    []byte
		values [][]byte
	}
	byName, order := map[string]*found{}, []string(nil)
	for _, data := range all {
		err := eachMember(data, func(key []byte, name string, value []byte) error {
			f := byName[name]
			if f == nil {
				f = &found{key: key}
				byName[name], order = f, append(order, name)
			}
			f.values = append(f.values, value)
			return nil
		})
		if err != nil || depth > maxDepth {
			return nil, ErrUnknownFormat
		}
	}
	dst = append(dst, '{')
	for _, name := range order {
		f, m := byName[name], o.members[name]
		last := f.values[len(f.values)-1]
		if m == nil || m.personal || m.inner == nil || len(f.values) == 1 || last[0] != '{' {
			dst = appendMember(dst, f.key, last)
			continue
		}
		inside, err := m.inner.mergeAll(nil, f.values, depth+1)
		if err != nil {
			return nil, err
		}
		dst = appendMember(dst, f.key, inside)
	}
	return append(dst, '}'), nil
}

func openObject(dst []byte) []byte {
	if len(dst) == 0 {
		return append(dst, '{')
	}
	return dst
}

func appendMember(dst, key, value []byte) []byte {
	if dst[len(dst)-1] != '{' {
		dst = append(dst, ',')
	}
	dst = append(dst, key...)
	dst = append(dst, ':')
	return append(dst, value...)
}

// saysNothing tells whether a value is what a field has that was never set.
func saysNothing(value []byte) bool {
	switch string(value) {
	case `null`, `""`, `0`, `false`, `[]`, `{}`:
		return true
	}
	return false
}

var errNoObject = errMember("not a JSON object")

type errMember string

func (e errMember) Error() string { return string(e) }

// eachMember calls f with each member of an object: its key as it stands, the name that means, and its value. What json.Valid takes is read; whatever else
// is an error or is given as it stands.
func eachMember(data []byte, f func(key []byte, name string, value []byte) error) error {
	s := scanner{data: data}
	if s.skip(); !s.take('{') {
		return errNoObject
	}
	if s.skip(); s.take('}') {
		return s.end()
	}
	for {
		s.skip()
		key := s.text()
		s.skip()
		if key == nil || !s.take(':') {
			return errNoObject
		}
		s.skip()
		value := s.value()
		if len(value) == 0 {
			return errNoObject
		}
		name := string(key[1 : len(key)-1])
		if bytes.IndexByte(key, '\\') >= 0 && json.Unmarshal(key, &name) != nil {
			return errNoObject
		}
		if err := f(key, name, value); err != nil {
			return err
		}
		s.skip()
		if s.take(',') {
			continue
		}
		if !s.take('}') {
			return errNoObject
		}
		return s.end()
	}
}
