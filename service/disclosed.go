package service

import (
	"context"
	"slices"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
)

// What a verification says of data that lies in clear because its fields were declared personal after it was written: what it is, and what to do.
const (
	clearEvents    = "events have data of the subject in clear, from before it was declared personal; trim the journal behind them"
	clearStates    = "states have " + clearAgain
	clearSnapshots = "snapshots have " + clearAgain
	clearLetters   = "letters have data of the subject in clear, from before it was declared personal; trim the journal behind their events, and drop the letters or retry them"
	clearRows      = "rows have data of the subject in clear, from before it was declared personal; rebuild the view"

	clearAgain = "data of the subject in clear, because an older build has carried the erasure out; start this instance on an empty data directory, and it is carried out again"
)

// inClear notes what was found somewhere.
func (v *Verification) inClear(found int, where, what string, fault func(string, ...any)) {
	if v.Clear += found; found > 0 {
		fault("%s: %d %s", where, found, what)
	}
}

// eventDiscloses tells whether an event holds something of a subject in clear, as far as the codec can tell.
func (o *owner) eventDiscloses(e *muster.Event, ref crypto.SubjectRef) (bool, error) {
	d, does := o.cfg.codec().(muster.Discloser)
	if !does {
		return false, nil
	}
	refs, err := o.behaviour.DisclosedByEvent(d, e)
	if muster.CodeOf(err) == muster.Unimplemented && !strings.HasPrefix(string(e.Payload), muster.SealedMark) {
		return false, nil // nothing declares what is in it, so nothing in it is declared
	}
	return slices.Contains(refs, ref), err
}

// stateDiscloses tells whether a stored state or a snapshot does.
func (o *owner) stateDiscloses(stored *muster.StoredState, ref crypto.SubjectRef) (bool, error) {
	d, does := o.cfg.codec().(muster.Discloser)
	if !does {
		return false, nil
	}
	refs, err := o.behaviour.DisclosedByState(d, stored)
	return slices.Contains(refs, ref), err
}

// letterDiscloses tells whether the event of a letter does.
func (p *Privacy) letterDiscloses(one *projection, l *projector.Letter, ref crypto.SubjectRef) (bool, error) {
	d, does := p.s.cfg.codec().(muster.Discloser)
	if !does {
		return false, nil
	}
	refs, err := one.DisclosedByEvent(d, &l.Event)
	return slices.Contains(refs, ref), err
}

// disclosing gives the aggregates of a partition whose stored states hold something of some of the subjects in clear, with these: the index of subjects knows
// of what was sealed.
func (o *owner) disclosing(ctx context.Context, p int32, subjects []crypto.SubjectRef) (found map[string][]crypto.SubjectRef, err error) {
	d, does := o.cfg.codec().(muster.Discloser)
	if !does {
		return nil, nil
	}
	found = map[string][]crypto.SubjectRef{}
	err = o.states.Each(p, func(state muster.StoredState) error {
		// One that cannot be decoded does not hold an erasure up; a verification tells of it.
		refs, _ := o.behaviour.DisclosedByState(d, &state)
		if refs = slices.DeleteFunc(refs, func(ref crypto.SubjectRef) bool { return !slices.Contains(subjects, ref) }); len(refs) > 0 {
			found[state.AggregateID] = refs
		}
		return ctx.Err()
	})
	return found, err
}

// events calls fn with all events of a served partition, in their order.
func (o *owner) events(ctx context.Context, p int32, fn func(*muster.Event) error) error {
	ends, err := consumer.EndOffsets(ctx, o.reader, []int32{p})
	if err != nil {
		return err
	}
	_, err = consumer.ReadJournal(ctx, o.reader, p, 0, ends[p], func(events []muster.Event) error {
		for i := range events {
			if err := fn(&events[i]); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	return err
}
