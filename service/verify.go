package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
)

// Verification is what [Privacy.VerifyErased] looked at and found. Faults is empty where all is as it must be.
type Verification struct {
	Erasure    crypto.Erasure
	Keys       int // entries of the subject in the key store, all without bytes
	Aggregates int // stored states of the subject here, none with anything sealed for it
	Events     int // events with sealed data of the subject, none of which could be opened
	Faults     []string
}

// VerifyErased proves an erasure on this instance: it asks the key store for the marker and for bytes that are left, looks into the stored state of every
// aggregate that had data of the subject in the served partitions, and tries to open their events. Other instances and services are asked by
// themselves; views have acknowledged that their rows are redacted, which the status says. The error says that something could not be looked at, and
// then nothing is proven. NotFound: no erasure is on the ledger.
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
		for _, n := range o.served() {
			if err := o.verify(ctx, n, &v, fault); err != nil {
				faults = append(faults, fmt.Errorf("%s[%d]: %w", o.group.Name(), n, err))
			}
		}
	}
	return v, errors.Join(faults...)
}

func (o *owner) verify(ctx context.Context, p int32, v *Verification, fault func(string, ...any)) error {
	ref := muster.SubjectRef(v.Erasure.Subject)
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
		if v.Aggregates++; slices.Contains(attributor.Subjects(nil, stored.Data), ref) {
			fault("%s[%d]: the stored state of an aggregate still has a part sealed for the subject", o.group.Name(), p)
		}
	}
	return o.eventsOf(ctx, p, v.Erasure.Subject, func(e *muster.Event) error {
		if !slices.Contains(attributor.Subjects(nil, e.Payload), ref) {
			return nil
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
}
