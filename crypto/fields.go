package crypto

import "google.golang.org/protobuf/encoding/protowire"

// fields walks the fields of an encoded message:
//
//	for f := walk(data); f.next(); { f.number, f.value }
//
// It ends where the bytes do, or where they are no message; then they are broken, and rest is what was not read.
type fields struct {
	rest   []byte
	number protowire.Number
	typ    protowire.Type
	value  []byte // behind the tag
	whole  []byte // with the tag
	broken bool
}

func walk(data []byte) fields { return fields{rest: data} }

// next goes to the next field.
func (f *fields) next() bool {
	if len(f.rest) == 0 {
		return false
	}
	number, typ, head := protowire.ConsumeTag(f.rest)
	size := -1
	if head >= 0 {
		size = protowire.ConsumeFieldValue(number, typ, f.rest[head:])
	}
	if size < 0 {
		f.broken = true
		return false
	}
	f.number, f.typ, f.value, f.whole = number, typ, f.rest[head:head+size], f.rest[:head+size]
	f.rest = f.rest[head+size:]
	return true
}

// isMessage tells whether the field may hold a message or a group.
func (f *fields) isMessage() bool {
	return f.typ == protowire.BytesType || f.typ == protowire.StartGroupType
}

// content gives what is in a message or group.
func (f *fields) content() []byte {
	if f.typ == protowire.StartGroupType {
		b, _ := protowire.ConsumeGroup(f.number, f.value)
		return b
	}
	b, _ := protowire.ConsumeBytes(f.value)
	return b
}

// append writes the field with another content.
func (f *fields) append(dst, content []byte) []byte {
	dst = protowire.AppendTag(dst, f.number, f.typ)
	if f.typ == protowire.StartGroupType {
		return protowire.AppendGroup(dst, f.number, content)
	}
	return protowire.AppendBytes(dst, content)
}
