package muster

func (b *Behaviour) statePlace(id string, revision uint64) Place {
	return Place{Purpose: PurposeState, Group: b.group.name, Type: b.group.name, AggregateID: id, Revision: revision}
}

// openState decodes a stored state that has a revision. One that is absent as a whole is an empty one: its subject is erased.
func (b *Behaviour) openState(codec Codec, stored *StoredState) (any, Redaction, error) {
	place := b.statePlace(stored.AggregateID, stored.Revision)
	state, r, err := b.state(codec, place, stored.Data)
	switch {
	case err != nil:
		return nil, Redaction{}, err
	case r.denied():
		return nil, Redaction{}, withheld(r, place)
	case r.Whole():
		return b.zero(), r, nil
	}
	return state, r, nil
}
