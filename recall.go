package muster

// recall answers a question for the result of a command: from the commands of this round that are before it, else from the store. It
// looks at commands of its own aggregate only: another one's may be in the hands of another unit.
func (u *Unit) recall(i int) {
	round, cmd := u.round, &u.round.batch.Commands[i]
	d, id := &round.decided[i], string(cmd.Payload)
	if err := CheckCommandID(id); err != nil {
		u.refuse(i, refusalOf(err))
		return
	}
	d.outcome = &Outcome{Code: OK, ContentType: contentOutcome}
	if first, seen := u.owned.seen[id]; seen && round.batch.Commands[first].AggregateID == cmd.AggregateID {
		if found := &round.decided[round.latest(first)]; found.lasting {
			d.recalls = found
			return
		}
	}
	known, found, err := round.p.states.Answered(u.owned.partition, id)
	if err != nil {
		round.fail(err)
		return
	}
	if !found {
		return
	}
	outcome, err := known.outcome(round.p, u.owned.partition)
	if err != nil {
		round.fail(err)
		return
	}
	d.outcome.Payload = outcome.Encode(nil)
}

// recalled is the answer to a question for a command of the same round. It is made when the round is settled: only then that
// command's place in the journal is known.
func (d *decided) recalled() *Outcome {
	kept, err := DecodeOutcome(d.recalls.stored)
	if err != nil { // never: storedForm wrote it
		return outcomeOf(refuse(Internal, ReasonBadResult, "a stored answer cannot be read: %v", err))
	}
	kept.Revision, kept.Position, kept.Repeated = d.recalls.outcome.Revision, d.recalls.outcome.Position, true
	return &Outcome{Code: OK, ContentType: contentOutcome, Payload: kept.Encode(nil)}
}
