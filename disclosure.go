package muster

// Discloser is an [Attributor] that finds what lies in clear although its type, as it is declared now, has it sealed: fields that were declared
// personal after a payload was written. An erasure cannot take those from a record, so whoever proves one has to look for them.
type Discloser interface {
	Attributor
	// Disclosed decodes a payload into into as Decode would if every key were destroyed, asks for none, and appends to dst the subjects of whom that
	// holds something which Encode would seal, without those that dst has already.
	Disclosed(dst []SubjectRef, place Place, data []byte, into any) ([]SubjectRef, error)
}

// disclosing is the codec by which a decoder asks a [Discloser].
type disclosing struct {
	Discloser
	subjects []SubjectRef
}

// Decode implements [Codec].
func (d *disclosing) Decode(place Place, data []byte, into any) error {
	_, err := d.Reveal(place, data, into)
	return err
}

// Reveal implements [Revealer].
func (d *disclosing) Reveal(place Place, data []byte, into any) (r Redaction, err error) {
	d.subjects, err = d.Disclosed(d.subjects, place, data, into)
	return r, err
}

// DisclosedByEvent gives the subjects of whom an event of the group holds something in clear; see [Discloser]. Unimplemented: the group has no such event.
func (b *Behaviour) DisclosedByEvent(codec Discloser, e *Event) ([]SubjectRef, error) {
	d := &disclosing{Discloser: codec}
	_, _, err := b.ReadEvent(d, e)
	return d.subjects, err
}

// DisclosedByState gives the subjects of whom a stored state of the group holds something in clear; see [Discloser].
func (b *Behaviour) DisclosedByState(codec Discloser, stored *StoredState) ([]SubjectRef, error) {
	if b.zero == nil {
		return nil, nil
	}
	d := &disclosing{Discloser: codec}
	_, _, err := b.state(d, b.statePlace(stored.AggregateID, stored.Revision), stored.Data)
	return d.subjects, err
}

// Disclosed gives the subjects of whom a payload holds something in clear; see [Discloser].
func (v Value[T]) Disclosed(codec Discloser, place Place, data []byte) ([]SubjectRef, error) {
	d := &disclosing{Discloser: codec}
	_, err := v.Decode(d, place, data)
	return d.subjects, err
}

// Disclosed gives the subjects of whom an event of this type holds something in clear, also beside what is sealed in it; see [Discloser]. It asks for no key, so
// it is the same before an erasure and after one. The error says that the payload cannot be decoded.
func (t *EventType[E]) Disclosed(codec Discloser, ev *Event) ([]SubjectRef, error) {
	return Value[E]{}.Disclosed(codec, eventPlace(ev), ev.Payload)
}
