package crypto

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/seed-3eec0498/muster/proto/muster/privacy"
)

// wireReader reads the declarations of a protobuf message and of all it holds.
type wireReader struct {
	nodes  map[protoreflect.FullName]*node
	faults []error
}

func (r *wireReader) read(m protoreflect.MessageDescriptor) *node {
	if n, done := r.nodes[m.FullName()]; done {
		return n
	}
	n := &node{fields: map[protowire.Number]*field{}}
	r.nodes[m.FullName()] = n
	var ids []protoreflect.FieldDescriptor // in the order of n.subjects
	named := map[protoreflect.Name]bool{}
	only, personal := -1, false
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		f := &field{name: string(fd.FullName()), short: string(fd.Name()), repeated: fd.Cardinality() == protoreflect.Repeated, personal: option(fd, privacy.E_Personal)}
		n.fields[fd.Number()] = f
		n.order = append(n.order, f)
		f.number = fd.Number()
		if fd.Message() != nil {
			f.inner = r.read(fd.Message())
			n.nested = n.nested || f.repeated
		}
		subject := proto.GetExtension(fd.Options(), privacy.E_Subject).(string)
		if subject != "" {
			named[protoreflect.Name(subject)] = true
			f.subject = r.subject(m, fd, protoreflect.Name(subject), &ids)
		}
		switch {
		case f.personal && option(fd, privacy.E_SubjectId):
			r.faultf("%s is both personal and subject_id; a subject's id is never sealed, so it must tell nothing about the person", f.name)
		case !f.personal && subject != "":
			r.faultf("%s names a subject and is not personal; mark it personal, or remove the subject", f.name)
		}
		if f.personal {
			personal = true
			if only == -1 || only == f.subject {
				only = f.subject
			} else {
				only = 0
			}
		}
		if f.repeated && !f.personal && fd.Message() != nil && r.hasPersonal(fd.Message(), map[protoreflect.FullName]bool{}) {
			r.faultf("%s is a repeated field or map, and its elements have personal fields; mark it personal as a whole", f.name)
		}
	}
	for i := range m.Fields().Len() {
		if fd := m.Fields().Get(i); option(fd, privacy.E_SubjectId) && !named[fd.Name()] {
			r.faultf("%s is marked subject_id, but no personal field of %s names it; add subject = %q to those that are that subject's", fd.FullName(), m.FullName(), fd.Name())
		}
	}
	for _, fd := range ids {
		n.subjects = append(n.subjects, fd.Number())
	}
	if personal {
		n.unknown = max(only, 0)
	}
	return n
}

// subject gives the number of a subject field, from 1.
func (r *wireReader) subject(m protoreflect.MessageDescriptor, of protoreflect.FieldDescriptor, name protoreflect.Name, ids *[]protoreflect.FieldDescriptor) int {
	fd := m.Fields().ByName(name)
	switch {
	case fd == nil:
		r.faultf("%s: its subject %q is no field of %s", of.FullName(), name, m.FullName())
		return 0
	case !option(fd, privacy.E_SubjectId):
		r.faultf("%s: its subject %s is not marked subject_id; mark it", of.FullName(), fd.FullName())
	case fd.Cardinality() == protoreflect.Repeated || !holdsID(fd.Kind()):
		r.faultf("%s holds a subject's id and is no single string or integer", fd.FullName())
	}
	for i, have := range *ids {
		if have == fd {
			return i + 1
		}
	}
	*ids = append(*ids, fd)
	return len(*ids)
}

func holdsID(kind protoreflect.Kind) bool {
	switch kind {
	case protoreflect.StringKind, protoreflect.Int32Kind, protoreflect.Int64Kind, protoreflect.Uint32Kind, protoreflect.Uint64Kind,
		protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return true
	default:
		return false
	}
}

// hasPersonal tells whether a message has personal fields anywhere.
func (r *wireReader) hasPersonal(m protoreflect.MessageDescriptor, seen map[protoreflect.FullName]bool) bool {
	if seen[m.FullName()] {
		return false
	}
	seen[m.FullName()] = true
	for i := range m.Fields().Len() {
		fd := m.Fields().Get(i)
		if option(fd, privacy.E_Personal) || fd.Message() != nil && r.hasPersonal(fd.Message(), seen) {
			return true
		}
	}
	return false
}

func (r *wireReader) faultf(format string, args ...any) {
	r.faults = append(r.faults, fmt.Errorf(format, args...))
}

func option(fd protoreflect.FieldDescriptor, which protoreflect.ExtensionType) bool {
	return proto.GetExtension(fd.Options(), which).(bool)
}
