package crypto

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode"
)

// structReader reads the declarations of a struct type and of all it holds, from tags with the key muster:
//
//	ID    string `muster:"subject_id"`
//	Name  string `muster:"personal,subject=ID"`
//	Phone string `muster:"personal"`
type structReader struct {
	objects map[reflect.Type]*object
	faults  []error
}

// tagged is a field with what its tags say.
type tagged struct {
	field     reflect.StructField
	json      string
	personal  bool
	subjectID bool
	subject   string
}

func (r *structReader) read(t reflect.Type) *object {
	if o, done := r.objects[t]; done {
		return o
	}
	o := &object{members: map[string]*member{}}
	r.objects[t] = o
	fields := r.fields(t, t.String())
	named, only, personal := map[string]bool{}, -1, false
	for i := range fields {
		f := &fields[i]
		m := &member{json: f.json, short: f.field.Name, name: t.String() + "." + f.field.Name, personal: f.personal}
		if _, twice := o.members[f.json]; twice {
			r.faultf("%s: two fields are %q in JSON; name one otherwise, or declare the type with Whole", m.name, f.json)
		}
		o.members[f.json], o.order = m, append(o.order, m)
		switch {
		case f.personal && f.subjectID:
			r.faultf("%s is both personal and subject_id; a subject's id is never sealed, so it must tell nothing about the person", m.name)
		case !f.personal && f.subject != "":
			r.faultf("%s names a subject and is not personal; mark it personal, or remove the subject", m.name)
		}
		if f.subject != "" {
			named[f.subject] = true
			m.subject = r.subject(o, fields, m.name, f.subject)
		}
		if f.personal {
			personal = true
			if only == -1 || only == m.subject {
				only = m.subject
			} else {
				only = 0
			}
			continue
		}
		switch inner, list := container(f.field.Type); {
		case inner == nil || !hasTags(inner, nil):
		case list:
			r.faultf("%s is a list or map, and its elements have personal fields; mark it personal as a whole", m.name)
		case marshals(inner):
			r.faultf("%s has personal fields inside, but %s makes its own JSON; mark the field personal as a whole", m.name, inner)
		default:
			m.inner = r.read(inner)
		}
	}
	for i := range fields {
		if f := &fields[i]; f.subjectID && !named[f.field.Name] {
			r.faultf("%s.%s is marked subject_id, but no personal field names it; add subject=%s to those that are that subject's", t, f.field.Name, f.field.Name)
		}
	}
	if personal {
		o.unknown = max(only, 0)
	}
	return o
}

// subject gives the number of a subject field, from 1.
func (r *structReader) subject(o *object, fields []tagged, of, name string) int {
	i := slices.IndexFunc(fields, func(f tagged) bool { return f.field.Name == name })
	if i < 0 {
		r.faultf("%s: its subject %q is no field beside it", of, name)
		return 0
	}
	switch f := &fields[i]; {
	case !f.subjectID:
		r.faultf("%s: its subject %s is not marked subject_id; mark it", of, name)
	case !holdsText(f.field.Type):
		r.faultf("%s: its subject %s is no string or integer", of, name)
	}
	at := slices.Index(o.subjects, fields[i].json)
	if at < 0 {
		o.subjects, at = append(o.subjects, fields[i].json), len(o.subjects)
	}
	return at + 1
}

// fields gives the fields that are in the JSON of a struct, those of embedded structs too.
func (r *structReader) fields(t reflect.Type, path string) (all []tagged) {
	for f := range fieldsOf(t) {
		tag, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		mark, marked := f.Tag.Lookup("muster")
		name := path + "." + f.Name
		if f.Anonymous && !validName(tag) && !marked {
			if e := elem(f.Type); e.Kind() == reflect.Struct && !marshals(e) {
				all = append(all, r.fields(e, name)...)
				continue
			}
		}
		if !f.IsExported() || f.Tag.Get("json") == "-" {
			if marked {
				r.faultf("%s has a muster tag, and is not in the JSON; remove the tag, or let the field be encoded", name)
			}
			continue
		}
		one := tagged{field: f, json: tag}
		if !validName(tag) {
			one.json = f.Name
		}
		for _, word := range strings.Split(mark, ",") {
			subject, names := strings.CutPrefix(word, "subject=")
			switch {
			case names:
				one.subject = subject
			case word == "personal":
				one.personal = true
			case word == "subject_id":
				one.subjectID = true
			case marked:
				r.faultf("%s: the muster tag has %q; it knows personal, subject=FIELD and subject_id", name, word)
			}
		}
		all = append(all, one)
	}
	return all
}

// validName tells whether encoding/json takes a name; where it does not, the field's own is the name.
func validName(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(c rune) bool {
		return !strings.ContainsRune("!#$%&()*+-./:;<=>?@[]^_{|}~ ", c) && !unicode.IsLetter(c) && !unicode.IsDigit(c)
	})
}

func (r *structReader) faultf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func fieldsOf(t reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range t.NumField() {
			if !yield(t.Field(i)) {
				return
			}
		}
	}
}

// container gives the struct that a field holds, and whether it holds it in a list or map.
func container(t reflect.Type) (inner reflect.Type, list bool) {
	for {
		switch t.Kind() {
		case reflect.Pointer:
			t = t.Elem()
		case reflect.Slice, reflect.Array, reflect.Map:
			t, list = t.Elem(), true
		case reflect.Struct:
			return t, list
		default:
			return nil, list
		}
	}
}

// hasTags tells whether a type has muster tags anywhere.
func hasTags(t reflect.Type, seen []reflect.Type) bool {
	inner, _ := container(t)
	if inner == nil || slices.Contains(seen, inner) {
		return false
	}
	seen = append(seen, inner)
	for f := range fieldsOf(inner) {
		if _, marked := f.Tag.Lookup("muster"); marked || hasTags(f.Type, seen) {
			return true
		}
	}
	return false
}

// marshals tells whether a type makes its own JSON.
func marshals(t reflect.Type) bool {
	for _, i := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(i) || reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// holdsText tells whether a type is a string or a number in JSON.
func holdsText(t reflect.Type) bool {
	switch t = elem(t); t.Kind() {
	case reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return true
	}
	text := reflect.TypeFor[encoding.TextMarshaler]()
	return t.Implements(text) || reflect.PointerTo(t).Implements(text)
}
