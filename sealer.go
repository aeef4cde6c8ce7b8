package muster

// ContentSealed is the content type of a payload that a sealing codec has made. What is inside says so itself, so that nobody takes the envelope
// for the message. Where no content type is kept, as with a state, it is told by its first bytes, which begin no message: see [SealedMark].
const ContentSealed = "application/vnd.muster.sealed"

// SealedMark begins every sealed payload.
const SealedMark = "\x09\xf3muster"

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
	// Personal tells whether payloads of a value's type can hold something that is sealed.
	Personal(v any) bool
}

// reveal decodes, and tells what is withheld where the codec withholds anything.
func reveal(codec Codec, place Place, data []byte, into any) (Redaction, error) {
	if r, does := codec.(Revealer); does {
		return r.Reveal(place, data, into)
	}
	return Redaction{}, codec.Decode(place, data, into)
}
