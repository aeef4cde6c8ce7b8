package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
)

// Verification is what [Privacy.VerifyErased] looked at and found. Faults is empty where all is as it must be.
type Verification struct {
	Erasure    crypto.Erasure
	Keys       int // entries of the subject in the key store, all without bytes
	Aggregates int // stored states of the subject here, none with anything sealed for it
	Events     int // events with sealed data of the subject, none of which could be opened
	Snapshots  int // that count in the snapshots topic, none with anything sealed for it
	Rows       int // of views, in shards that are held here or kept as copies; none with anything sealed for it
	Letters    int // of projections, with events that have data of the subject, sealed or in clear, which stay as they are in the journal
	// Clear counts the events, states, snapshots, rows and letters with something of the subject in clear, because it was declared personal after they
	// were written. No erasure takes that from an event, in the journal or in a letter: Faults says what to do. A codec that is no [muster.Discloser]
	// finds none, and letters are known by the functions of their projections, see [projector.Definition.DisclosedByEvent].
	Clear int
	// Faults names groups and partitions, projections and shards, and how many things were found there: no ids and no keys of rows, which may tell
	// who somebody is.
	Faults []string
	// Unseen names what this service has and was not looked into here, because it is on hold, stopped, or at another instance. See [Verification.Proven].
	Unseen []Unseen

	looked bool // to the end, without an error
}

// VerifyErased proves an erasure on this instance: it asks the key store for the marker and for bytes that are left, looks into the stored state of every
// aggregate that had data of the subject in the served partitions, into their snapshots and into every row of the views that are held here, and tries
// to open the events. It looks through all states, snapshots, events, rows and letters for what lies in clear because it was declared personal later, so it takes as
// long as reading all that does. What it could not look into because it is on hold or
// elsewhere stands in Unseen; other instances and services are asked by themselves. What projections have in a database of yours is yours to search.
// The error says that looking failed, and then nothing is proven.
// NotFound: no erasure is on the ledger.
func (p *Privacy) VerifyErased(ctx context.Context, subject string) (Verification, error) {
	var v Verification
	var err error
	if v.Erasure, err = p.Status(ctx, subject); err != nil {
		return v, err
	}
	ref := v.Erasure.Subject
	p.forget(ref)
	fault := func(format string, args ...any) { v.Faults = append(v.Faults, fmt.Sprintf(format, args...)) }
	_, marked, err := p.config.Keys.Destroyed(ctx, ref)
	if err != nil {
		return v, err
	}
	if !marked && !v.Erasure.Reinstated {
		fault("the key store has no mark that the keys are destroyed")
	}
	err = p.config.Keys.Scan(ctx, func(e crypto.Entry) error {
		if e.Subject != ref || e.Life > v.Erasure.Receipt.Life {
			return nil
		}
		if v.Keys++; len(e.Wrapped) > 0 {
			fault("key %x still has its bytes", e.ID[:4])
		}
		return nil
	})
	if err != nil {
		return v, err
	}
	var faults []error
	for _, o := range p.s.owners {
		faults = append(faults, p.verifyOwner(ctx, o, &v, fault)...)
	}
	if err := p.verifyProjections(ctx, &v, fault); err != nil {
		faults = append(faults, err)
	}
	for _, d := range v.Erasure.Owed { // what this build does not have
		if d.Service == p.s.cfg.Name && !p.has(d) {
			v.unseen(d, unseenNotRun)
		}
	}
	v.sortUnseen()
	v.looked = len(faults) == 0
	return v, errors.Join(faults...)
}

// has tells whether a duty is one of what this build runs.
func (p *Privacy) has(d crypto.Duty) bool {
	for _, o := range p.s.owners {
		if d.Kind == crypto.DutyGroup && d.Name == o.group.Name() {
			return true
		}
	}
	return slices.ContainsFunc(p.s.projections, func(one *projection) bool { return d.Kind == crypto.DutyProjection && d.Name == one.String() })
}

// verifyProjections looks into the rows of views, and at the letters of all projections.
func (p *Privacy) verifyProjections(ctx context.Context, v *Verification, fault func(string, ...any)) error {
	type place struct {
		projection string
		shard      int32
	}
	ref, rows := v.Erasure.Subject, map[place]bool{}
	if p.s.views != nil && !v.Erasure.Reinstated {
		shards, err := p.s.views.SubjectRows(ctx, ref)
		if err != nil {
			return err
		}
		for _, found := range shards {
			rows[place{found.Projection, found.Shard}] = rows[place{found.Projection, found.Shard}] || !found.Standby
			if v.Rows += found.Rows; found.Sealed > 0 {
				fault("view %s, shard %d: %d rows still have a part sealed for the subject", found.Projection, found.Shard, found.Sealed)
			}
			v.inClear(found.Clear, fmt.Sprintf("view %s, shard %d", found.Projection, found.Shard), clearRows, fault)
		}
	}
	attributor, does := p.s.cfg.codec().(muster.Attributor)
	var faults []error
	for _, one := range p.s.projections {
		_, isView := one.part.(projector.AnyView)
		duties, states := p.shardsOf(one)
		r, err := one.runner()
		for shard, duty := range duties {
			state, here := states[shard]
			switch {
			case v.Erasure.Reinstated:
				v.unseen(duty, unseenReinstated)
				continue
			case err != nil || !does:
				v.unseen(duty, unseenNotRun)
				continue
			case !here:
				v.unseen(duty, unseenElsewhere)
				continue
			case isView && !rows[place{one.String(), shard}]:
				v.unseen(duty, string(state))
				continue
			}
			letters, why, err := lettersIn(ctx, r, shard)
			if why != "" {
				v.unseen(duty, why)
			}
			if err != nil {
				return errors.Join(append(faults, err)...)
			}
			if err := p.verifyLetters(one, shard, attributor, letters, v, fault); err != nil {
				v.unseen(duty, unseenFailed)
				faults = append(faults, err)
			}
		}
	}
	return errors.Join(faults...)
}

// verifyLetters counts the letters of the subject in a shard, those that have something of it in clear, and how many still have a cause from before the erasure.
// The error says that some cannot be decoded, and names the first; it has looked at all others.
func (p *Privacy) verifyLetters(one *projection, shard int32, attributor muster.Attributor, letters []projector.Letter, v *Verification, fault func(string, ...any)) error {
	plain, causes, unread := 0, 0, 0
	var first error
	for i := range letters {
		l := &letters[i]
		discloses, err := p.letterDiscloses(one, l, v.Erasure.Subject)
		if discloses {
			plain++
		}
		if err != nil {
			if unread++; first == nil {
				first = fmt.Errorf("letter %s: %w", l.ID, err)
			}
		}
		if !discloses && !slices.Contains(attributor.Subjects(nil, l.Event.Payload), v.Erasure.Subject) {
			continue
		}
		if v.Letters++; l.Cause != "" && l.Cause != projector.CauseErased && l.At.Before(v.Erasure.Receipt.Time) {
			causes++
		}
	}
	where := fmt.Sprintf("projection %s, shard %d", one, shard)
	v.inClear(plain, where, clearLetters, fault)
	if causes > 0 {
		fault("%s: %d letters still have a cause from before the erasure", where, causes)
	}
	if unread > 0 {
		return fmt.Errorf("%s: whose data %d letters have in clear cannot be told; retry them with a build that can decode their events, or drop them: %w", where, unread, first)
	}
	return nil
}

// verifySnapshots looks at what a recovery would read.
func (o *owner) verifySnapshots(ctx context.Context, p int32, attributor muster.Attributor, v *Verification, fault func(string, ...any)) error {
	sealed, plain, all := map[string]bool{}, map[string]bool{}, map[string]bool{}
	_, err := consumer.ReadSnapshots(ctx, o.reader, p, func(state muster.StoredState) error {
		all[state.AggregateID] = true
		delete(sealed, state.AggregateID)
		delete(plain, state.AggregateID)
		if slices.Contains(attributor.Subjects(nil, state.Data), v.Erasure.Subject) {
			sealed[state.AggregateID] = true
		}
		discloses, err := o.stateDiscloses(&state, v.Erasure.Subject)
		if discloses {
			plain[state.AggregateID] = true
		}
		return err
	})
	if v.Snapshots += len(all); len(sealed) > 0 && !v.Erasure.Reinstated {
		fault("%s[%d]: %d snapshots still have a part sealed for the subject", o.group.Name(), p, len(sealed))
	}
	v.inClear(len(plain), fmt.Sprintf("%s[%d]", o.group.Name(), p), clearSnapshots, fault)
	return err
}

func (o *owner) verify(ctx context.Context, p int32, v *Verification, fault func(string, ...any)) error {
	ref := v.Erasure.Subject
	attributor, does := o.cfg.codec().(muster.Attributor)
	if !does {
		return muster.Errorf(muster.Unimplemented, "%T cannot tell whose data is where", o.cfg.codec())
	}
	ids, err := o.states.Aggregates(p, ref)
	if err != nil {
		return err
	}
	for _, id := range ids {
		stored, err := o.states.Load(p, id)
		if err != nil {
			return err
		}
		if v.Aggregates++; slices.Contains(attributor.Subjects(nil, stored.Data), ref) && !v.Erasure.Reinstated {
			fault("%s[%d]: the stored state of an aggregate still has a part sealed for the subject", o.group.Name(), p)
		}
	}
	plain := 0
	err = o.states.Each(p, func(state muster.StoredState) error {
		discloses, err := o.stateDiscloses(&state, ref)
		if discloses {
			plain++
		}
		return err
	})
	if err != nil {
		return err
	}
	where := fmt.Sprintf("%s[%d]", o.group.Name(), p)
	v.inClear(plain, where, clearStates, fault)
	if err := o.verifySnapshots(ctx, p, attributor, v, fault); err != nil {
		return err
	}
	plain = 0
	err = o.events(ctx, p, func(e *muster.Event) error {
		discloses, err := o.eventDiscloses(e, ref)
		if discloses {
			plain++
		}
		if err != nil || !slices.Contains(attributor.Subjects(nil, e.Payload), ref) {
			return err
		}
		v.Events++
		_, withheld, err := o.behaviour.ReadEvent(o.cfg.codec(), e)
		switch {
		case err != nil:
			return err
		case withheld.Access == muster.AccessOpen && !v.Erasure.Reinstated:
			fault("%v: an event could be opened", e.Position())
		}
		return nil
	})
	v.inClear(plain, where, clearEvents, fault)
	return err
}
