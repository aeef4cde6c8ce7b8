package crypto

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seed-3eec0498/muster"
)

// plan is how the payloads of one Go type are split, made once per type.
type plan struct {
	name  string
	whole bool
	// subject gives whose a payload is that is sealed whole; nil means the aggregate id's.
	subject func(v any) string
	wire    *node           // of a protobuf message
	object  *object         // of a struct
	remains func(v any) any // see Remainder; nil: nothing remains

	personal bool // something is declared; the others are sealed where they carry fields that are unknown here
}

// node is one message type of protobuf, as the cutter walks it.
type node struct {
	fields   map[protowire.Number]*field
	order    []*field
	subjects []protowire.Number // of the fields that hold subject ids of this message; where a field says subject 1, this is subjects[0]
	unknown  int                // whose the unknown fields are: the subject of all personal fields where they have one, otherwise 0
	nested   bool               // it has repeated fields or maps of messages
}

// field is one known field of a node.
type field struct {
	number   protowire.Number
	name     string // full
	short    string // in its message
	personal bool
	repeated bool
	subject  int   // 0 is the aggregate id
	inner    *node // of a message; of a map the entry
}

// subjectOf gives whose a payload is that is sealed whole.
func (p *plan) subjectOf(place *muster.Place, v any) string {
	if p.subject == nil {
		return place.AggregateID
	}
	return p.subject(v)
}

// wholeLetter is for dead letters that could not be decoded: whatever is in them is sealed.
var wholeLetter = plan{name: "a dead letter", whole: true, personal: true}

// cut splits an encoded payload into s.cut. It may take s.plain.
func (p *plan) cut(s *scratch, place *muster.Place, v any, plain []byte, content string) error {
	switch {
	case p.whole:
		id := p.subjectOf(place, v)
		if id == "" {
			return fault("%s is sealed whole, and nothing says for whom; give it a subject", p.name)
		}
		part := s.cut.part(id)
		part.data, s.plain = plain, part.data
		return nil
	case p.wire != nil && content == muster.ContentProtobuf:
		k := cutter{plan: p, aggregate: place.AggregateID, inner: s.inner, nobody: s.nobody}
		err := k.message(&s.cut, p.wire, plain, 0)
		s.inner = k.inner
		return err
	case p.object != nil && content == muster.ContentJSON:
		k := objectCutter{plan: p, aggregate: place.AggregateID, nobody: s.nobody}
		return k.object(&s.cut, p.object, plain, 0)
	}
	return fault("%s: the inner codec made %s of it, which cannot be split; declare it with Whole", p.name, content)
}

// merge puts clear bytes and opened parts together again; the result is in the memory of s or of the payload.
func (p *plan) merge(s *scratch, e *envelope) ([]byte, error) {
	switch {
	case s.opened == 0:
		return e.clear, nil
	case len(e.clear) == 0 && len(e.parts) == 1:
		return s.plain, nil
	case e.content == muster.ContentProtobuf:
		s.whole = p.wireRest(s.whole[:0], e.clear, s.plain)
		s.whole = append(s.whole, s.plain...)
		return s.whole, nil
	case e.content == muster.ContentJSON && p != nil && p.object != nil:
		var err error
		s.whole, err = p.object.merge(s.whole[:0], e.clear, s.ends, s.plain)
		return s.whole, err
	}
	return nil, fault("this payload is sealed by field; read it as the type it was written as")
}
