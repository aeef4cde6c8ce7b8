package service

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// run carries out what the ledger asks of this process, until ctx ends: it takes every erasure as far as it can go, and does and acknowledges what
// the partitions and shards that are held here owe. Every process of the key space does so; nobody leads.
func (p *Privacy) run(ctx context.Context) {
	joined, settled, again := false, map[settledKey]settledAt{}, pause{}
	tick := time.NewTicker(p.config.look())
	defer tick.Stop()
	for ctx.Err() == nil {
		ledger, held := p.ledger.Changed(), p.s.board.changes()
		var table <-chan struct{}
		if p.s.control != nil {
			_, table = p.s.control.Entries()
		}
		if !joined {
			err := p.join(ctx)
			if joined = err == nil; !joined && ctx.Err() == nil {
				p.s.log.Warn("the erasure ledger cannot be written, trying again", "error", err)
			}
		}
		owes, failed := p.look(ctx, settled)
		if failed { // what a try changes must not be what wakes the next one
			again.wait(ctx)
			continue
		}
		if again = (pause{}); !owes { // nothing but the ledger and a new partition can bring something to do
			table = nil
		}
		select {
		case <-ledger:
		case <-held:
		case <-table:
		case <-p.stir:
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// settledKey is a partition of a group, and settledAt the tenure in which all of so many erasures were carried out there, and how often it had been
// recovered in it: a recovery may have read older rows.
type settledKey struct {
	group     string
	partition int32
}

type settledAt struct {
	tenure     *tenure
	recoveries int64
	erasures   int
}

// holds tells whether the rows are the ones of then. Where a partition is elsewhere now, whoever has it acknowledges: its rows may be from before.
func (a settledAt) holds() bool {
	return a.tenure.ctx.Err() == nil && a.tenure.recoveries.Load() == a.recoveries
}

// look does what can be done now. It tells whether something is left that this service owes, and whether something of it could not be done.
func (p *Privacy) look(ctx context.Context, settled map[settledKey]settledAt) (owes, failed bool) {
	if err := p.eraser.Advance(ctx); err != nil && ctx.Err() == nil {
		p.s.log.Warn("erasures cannot go on now, trying again", "error", err)
	}
	var destroyed []crypto.Erasure
	for _, e := range p.ledger.Erasures() {
		if e.State >= crypto.ErasureKeysDestroyed {
			destroyed = append(destroyed, e)
		}
	}
	for i := range destroyed { // first, so that they act beside the owners
		if err := p.order(ctx, &destroyed[i]); err != nil {
			failed = true
			if ctx.Err() == nil {
				p.s.log.Warn("projections cannot be told of an erasure now, trying again", "erasure", destroyed[i].ID, "error", err)
			}
		}
	}
	for _, o := range p.s.owners {
		for _, n := range o.served() {
			key := settledKey{o.group.Name(), n}
			t := o.tenureOf(n)
			if t == nil {
				continue
			}
			now := settledAt{t, t.recoveries.Load(), len(destroyed)}
			if settled[key] == now {
				continue
			}
			if err := o.erase(ctx, n, destroyed); err != nil {
				failed = true
				if ctx.Err() == nil {
					p.s.log.Warn("what a partition has of erased subjects is not replaced yet, trying again", "group", o.group.Name(), "partition", n, "error", quiet(err))
				}
				continue
			}
			settled[key] = now
		}
	}
	for i := range destroyed {
		left, err := p.acknowledge(ctx, &destroyed[i], settled, len(destroyed))
		if owes, failed = owes || left, failed || err != nil; err != nil && ctx.Err() == nil {
			p.s.log.Warn("an erasure cannot be acknowledged now, trying again", "erasure", destroyed[i].ID, "error", err)
		}
	}
	p.alert(ctx)
	return owes, failed
}

// acknowledge notes the duties of an erasure that are done here. It tells whether some are left.
func (p *Privacy) acknowledge(ctx context.Context, e *crypto.Erasure, settled map[settledKey]settledAt, erasures int) (left bool, err error) {
	owed := e.Owes(p.s.cfg.Name)
	if len(owed) == 0 {
		return false, nil
	}
	p.forget(e.Subject)
	done, err := p.erasedIn(e, owed)
	for _, d := range owed {
		if at, is := settled[settledKey{d.Name, d.Partition}]; d.Kind == crypto.DutyGroup && is && at.erasures >= erasures {
			done = append(done, d)
		}
	}
	if len(done) > 0 {
		p.s.cfg.failpoint("erasure-carried-out")
		done = slices.DeleteFunc(done, func(d crypto.Duty) bool {
			return d.Kind == crypto.DutyGroup && !settled[settledKey{d.Name, d.Partition}].holds()
		})
		var unsure error
		done, unsure = p.assigned(ctx, done)
		err = errors.Join(err, unsure)
	}
	if len(done) > 0 {
		err = errors.Join(err, p.ledger.Acknowledge(ctx, e.ID, done...))
	}
	return len(done) < len(owed), err
}

// assigned keeps those of the duties whose partitions the consumer group has given to this instance: one that has not learned yet that it was put out of the
// group speaks for nobody.
func (p *Privacy) assigned(ctx context.Context, duties []crypto.Duty) (kept []crypto.Duty, err error) {
	held := map[string]map[int32]bool{}
	for _, o := range p.s.owners {
		if !slices.ContainsFunc(duties, func(d crypto.Duty) bool { return d.Kind == crypto.DutyGroup && d.Name == o.group.Name() }) {
			continue
		}
		ours, fault := o.ours(ctx)
		held[o.group.Name()], err = ours, errors.Join(err, fault)
	}
	return slices.DeleteFunc(duties, func(d crypto.Duty) bool { return d.Kind == crypto.DutyGroup && !held[d.Name][d.Partition] }), err
}

// alert tells of acknowledgements that are missing past their deadline: a metric all the time, a log line once.
func (p *Privacy) alert(ctx context.Context) {
	counts, missing := map[crypto.ErasureState]int{}, 0
	for _, e := range p.ledger.Erasures() {
		counts[e.State]++
	}
	for _, e := range p.eraser.Overdue() {
		missing += max(1, len(e.Missing()))
		if !p.told[e.ID] {
			p.told[e.ID] = true
			p.s.log.ErrorContext(ctx, "an erasure is not through in time; start what is named here, or find out why it cannot go on",
				"erasure", e.ID, "state", e.State.String(), "requested", e.Requested, "missing", e.Missing())
		}
	}
	p.s.metrics.erasing(counts, missing)
}
