package muster

import "reflect"

// ContentSealed is the content type of a payload that a sealing codec has made. What is inside says so itself, so that nobody takes the envelope
// for the message.
const ContentSealed = "application/vnd.muster.sealed"

// contentSealedLetter is the content type of a dead letter that was sealed as a whole, see [OpenLetter].
const contentSealedLetter = "application/vnd.muster.sealed-letter"

// Sealer is a [Codec] that seals payloads: it encodes under [ContentSealed] what is to be sealed and as its inner codec does what is not. The owner
// of a group asks it for one thing more, because two sealings of one value differ.
//
// What a Sealer makes for [PurposeDeadLetter] is sealed as a whole, for the subject that the aggregate id names. For a state and for a row it
// leaves out what belongs to an erased subject, where for a message it answers [FaultErased]: the state of others must go on.
type Sealer interface {
	Revealer
	// Likeness appends to dst what all encodings of a value have in common and no other person can learn anything from: the clear part, and whose the
	// sealed ones are. The owner tells by it whether a command that comes again under the same id is the same one. data was encoded by this codec.
	Likeness(dst, data []byte) []byte
}

// TypeChecker is a [Codec] that some Go types do not suit. A service asks it about every type of its contracts, states and views when it opens.
type TypeChecker interface {
	// CheckType says what is wrong with payloads of a Go type; it names field and rule. Of the place, purpose, group and type are set.
	CheckType(place Place, t reflect.Type) error
}

// payloadType is one Go type that a contract has payloads of.
type payloadType struct {
	place Place
	of    reflect.Type
}

// CheckTypes asks the codec about every message type of the contract and gives what it has against them; nothing where it is no [TypeChecker].
func (g *Group) CheckTypes(codec Codec) (faults []error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return checkTypes(codec, g.payloads)
}

// CheckTypes asks the codec about the messages of the group and the type of its state.
func (b *Behaviour) CheckTypes(codec Codec) []error {
	faults := b.group.CheckTypes(codec)
	if b.stateType == nil {
		return faults
	}
	place := Place{Purpose: PurposeState, Group: b.group.name, Type: b.group.name}
	return append(faults, checkTypes(codec, []payloadType{{place, b.stateType}})...)
}

func checkTypes(codec Codec, all []payloadType) (faults []error) {
	checker, asks := codec.(TypeChecker)
	if !asks {
		return nil
	}
	for _, one := range all {
		if err := checker.CheckType(one.place, one.of); err != nil {
			faults = append(faults, err)
		}
	}
	return faults
}

// payload notes a Go type of the contract.
func (g *Group) payload(purpose Purpose, name string, t reflect.Type) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.payloads = append(g.payloads, payloadType{Place{Purpose: purpose, Group: g.name, Type: name}, t})
}

// reveal decodes, and tells what is withheld where the codec withholds anything.
func reveal(codec Codec, place Place, data []byte, into any) (Redaction, error) {
	if r, does := codec.(Revealer); does {
		return r.Reveal(place, data, into)
	}
	return Redaction{}, codec.Decode(place, data, into)
}
