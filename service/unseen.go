package service

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/projector"
)

// Unseen is something of a service that [Privacy.VerifyErased] did not look into, as the duty it is on the ledger.
type Unseen struct {
	Duty crypto.Duty
	// Why is a stable word: "elsewhere", another instance has it or none, as the consumer group says; "not-run", this instance does not run the projection; "letters", more than
	// 10,000 lie aside in the shard; "reinstated", the person has new data, so rows tell nothing; "failed", the error says how; else the state that the partition or shard is in,
	// such as "recovering", "stopped", "claiming" or "away".
	Why string
}

// The words of Unseen.Why that are no states.
const (
	unseenElsewhere  = "elsewhere"
	unseenNotRun     = "not-run"
	unseenLetters    = "letters"
	unseenReinstated = "reinstated"
	unseenFailed     = "failed"
)

// lettersPatience bounds how long the letters of one shard are waited for: its worker may be in a function, or wait for its target.
const lettersPatience = 10 * time.Second

// Proven tells whether the erasure is through and nothing was found in all that this service has. Where a service has several instances none of them sees
// everything: there it is proven when no Faults are found by any of them, and each duty in the Unseen of one is in no Unseen of another.
// It is false for somebody who was reinstated, and where VerifyErased gave an error.
func (v *Verification) Proven() bool {
	return v.looked && len(v.Faults) == 0 && len(v.Unseen) == 0 && v.Erasure.State >= crypto.ErasurePurged && !v.Erasure.Reinstated
}

func (v *Verification) unseen(d crypto.Duty, why string) {
	for _, u := range v.Unseen {
		if u.Duty == d {
			return
		}
	}
	v.Unseen = append(v.Unseen, Unseen{d, why})
}

func (v *Verification) sortUnseen() {
	slices.SortFunc(v.Unseen, func(a, b Unseen) int {
		return cmp.Or(cmp.Compare(a.Duty.Kind, b.Duty.Kind), cmp.Compare(a.Duty.Name, b.Duty.Name), cmp.Compare(a.Duty.Partition, b.Duty.Partition))
	})
}

// holdsPatience bounds how long the end of a rebalance is awaited.
const holdsPatience = 10 * time.Second

// ours gives the partitions that are this owner's in the eyes of the consumer group.
func (o *owner) ours(ctx context.Context) (map[int32]bool, error) {
	ctx, cancel := context.WithTimeout(ctx, holdsPatience)
	defer cancel()
	return o.consumer.Holds(ctx)
}

// verifyOwner looks into the partitions that are served here, and names those that are not.
func (p *Privacy) verifyOwner(ctx context.Context, o *owner, v *Verification, fault func(string, ...any)) (faults []error) {
	serves := func(n int32) (*tenure, int64) {
		t := o.tenureOf(n)
		if t == nil {
			return nil, 0
		}
		recoveries := t.recoveries.Load()
		if o.board.state(o.group.Name(), n) != Serving {
			return nil, 0
		}
		return t, recoveries
	}
	ours, err := o.ours(ctx)
	if err != nil {
		faults = append(faults, err)
	}
	for n := range o.group.Partitions() {
		duty := crypto.Duty{Service: p.s.cfg.Name, Kind: crypto.DutyGroup, Name: o.group.Name(), Partition: n}
		if !ours[n] { // and it may not know yet: its rows are not those that count
			why := unseenElsewhere
			if err != nil {
				why = unseenFailed
			}
			v.unseen(duty, why)
			continue
		}
		t, recoveries := serves(n)
		if t != nil {
			if err := o.verify(ctx, n, v, fault); err != nil {
				v.unseen(duty, unseenFailed)
				faults = append(faults, fmt.Errorf("%s[%d]: %w", o.group.Name(), n, err))
				continue
			}
			if now, again := serves(n); now == t && again == recoveries {
				continue // else what was looked at may have been half of it
			}
		}
		switch state := o.board.state(o.group.Name(), n); state {
		case "", Released:
			v.unseen(duty, unseenElsewhere)
		case Serving:
			v.unseen(duty, string(Recovering)) // it was
		case Recovering, Stopped:
			v.unseen(duty, string(state))
		}
	}
	return faults
}

// shardsOf gives the duties of a projection with what its shards are doing here; a shard that is elsewhere has no state.
func (p *Privacy) shardsOf(one *projection) (duties map[int32]crypto.Duty, states map[int32]projector.State) {
	duties, states = map[int32]crypto.Duty{}, map[int32]projector.State{}
	for _, shard := range one.Shards(p.s.cfg.Prefix) {
		duties[shard.Number] = crypto.Duty{Service: p.s.cfg.Name, Kind: crypto.DutyProjection, Name: one.String(), Partition: max(0, shard.Number)}
	}
	for _, s := range one.statuses() {
		if !s.Standby {
			states[s.Shard] = s.State
		}
	}
	return duties, states
}

// lettersIn gives what lies aside in a shard that is held here, and a word where that cannot be seen.
func lettersIn(ctx context.Context, r *projector.Runner, shard int32) (letters []projector.Letter, why string, err error) {
	bounded, cancel := context.WithTimeout(ctx, lettersPatience)
	defer cancel()
	const most = 10_000
	letters, err = r.Letters(bounded, projector.LetterQuery{Scope: projector.Scope{Shards: []int32{shard}}, Limit: most})
	switch {
	case ctx.Err() != nil:
		return nil, unseenFailed, muster.Errorf(muster.CodeOf(ctx.Err()), "the letters were not looked through in time: %v", ctx.Err())
	case err != nil:
		why = unseenElsewhere
		for _, s := range r.Status() {
			if s.Shard == shard && !s.Standby {
				why = string(s.State)
			}
		}
		return nil, why, nil
	case len(letters) == most:
		return letters, unseenLetters, nil
	}
	return letters, "", nil
}
