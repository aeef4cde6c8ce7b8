package muster

import "slices"

// SubjectRef names a subject, a person whose data is sealed under keys of their own, without telling who it is.
type SubjectRef [16]byte

// Attributor is a [Codec] that seals for subjects and can tell for whom without opening anything. An owner keeps an index by what it says, so that
// everything that is to be erased is found.
type Attributor interface {
	Codec
	// Subjects appends to dst the subjects who have data sealed in a payload that this codec encoded, without those that dst has already. What is
	// no such payload has none.
	Subjects(dst []SubjectRef, data []byte) []SubjectRef
}

// Forgetter is a [Codec] that keeps keys at hand. Forget drops those of a subject: whoever needs one next asks the key store, and learns there that
// it is destroyed.
type Forgetter interface {
	Codec
	Forget(subject SubjectRef)
}

// noteSubjects notes whose data the payload of an event, or a state, of the aggregate holds.
func (p *Processor) noteSubjects(r *resident, data []byte) {
	if a, does := p.codec.(Attributor); does {
		r.subjects = a.Subjects(r.subjects, data)
	}
}

// toStore gives what is to be stored of a resident, and counts its subjects as stored.
func (r *resident) toStore(data []byte) StoredState {
	s := StoredState{AggregateID: r.id, Revision: r.revision, Offset: r.offset, Data: data, Subjects: slices.Clone(r.subjects), Unindexed: len(r.subjects) - r.indexed}
	r.indexed = len(r.subjects)
	return s
}
