package muster

import (
	"slices"
	"time"
)

// MaxWaiting is the most commands of one partition that may wait for another try. The bound comes from the broker: their offsets are kept in
// the metadata of the committed offset (package kafka draws it), which has 4,096 bytes by default.
const MaxWaiting = 500

// Tries is what is known of the earlier executions of a command that waits. It is kept in the memory of the owner: the next owner
// begins at zero.
type Tries struct {
	Count      int       // executions that ended with [RetryLater] and were committed as such
	Executions int       // all of them, those whose commit was aborted too
	Since      time.Time // of the batch of the first one; zero when there was none
	Next       time.Time // not to be executed before; zero: as soon as nothing of its aggregate waits in front of it
}

func (c *Command) tries() (known Tries) {
	if c.Tries != nil {
		known = *c.Tries
	}
	return known
}

// Waiting is one command that a round leaves waiting.
type Waiting struct {
	Index   int   // in the commands of the batch
	Tries   Tries // to be handed in again with the command
	Retried bool  // it was executed and asked for another try; false: it waits behind another one, or its time has not come

	// Wake is when the command has something to be decided: its next try, or the moment after which it is refused as expired. Zero: not before
	// the command in front of it.
	Wake time.Time
}

// Consume notes that the command at an offset is finished, or waits.
func (p *Progress) Consume(offset int64, waits bool) {
	at, waited := slices.BinarySearch(p.Waiting, offset)
	switch {
	case waited && !waits:
		p.Waiting = slices.Delete(p.Waiting, at, at+1)
	case !waited && waits:
		p.Waiting = slices.Insert(p.Waiting, at, offset)
	}
	if !waited {
		p.Next = offset + 1
	}
}

// Waiting gives the commands of the round that are to be handed in again. It is called once the units of the last slice have run.
func (r *Round) Waiting() []Waiting {
	var all []Waiting
	for i := range r.decided[:r.next] {
		tries := r.decided[i].waits
		if tries == nil {
			continue
		}
		cmd := &r.batch.Commands[i]
		w := Waiting{Index: i, Tries: *tries, Retried: tries.Count > cmd.tries().Count}
		switch {
		case tries.Next.After(r.batch.Now):
			w.Wake = tries.Next
		case !cmd.Deadline.IsZero():
			w.Wake = cmd.Deadline.Add(r.p.tolerance + time.Microsecond)
		}
		all = append(all, w)
	}
	return all
}

// consume takes what the units have decided into the progress of the partitions.
func (r *Round) consume() {
	if allPolled {
		r.next = len(r.batch.Commands)
	}
	for ; r.consumed < r.next; r.consumed++ {
		cmd := &r.batch.Commands[r.consumed]
		o := r.held[cmd.Partition]
		o.progress.Consume(cmd.Offset, r.decided[r.consumed].waits != nil)
		o.moved = true
	}
	for _, o := range r.held {
		o.room = r.p.waiting - len(o.progress.Waiting)
	}
}

// begin sets up what belongs to one round.
func (o *owned) begin(known []Progress) {
	o.round++
	o.progress, o.moved = Progress{Partition: o.partition}, false
	for i := range known {
		if known[i].Partition == o.partition {
			o.progress.Next, o.progress.Waiting = known[i].Next, slices.Clone(known[i].Waiting)
		}
	}
}

// admit tells whether one more command may be in the slice: each of them may have to wait, and only so many can. One that waited before
// is counted already.
func (o *owned) admit(offset int64) bool {
	if offset < o.progress.Next {
		return true
	}
	o.room--
	return o.room >= 0
}

// waits tells whether a command has to wait without being executed: its time has not come, or an older one of its aggregate waits. One
// whose deadline has passed does not: its refusal changes nothing, so it keeps no order.
func (u *Unit) waits(i int) bool {
	cmd := &u.round.batch.Commands[i]
	if u.r.blocked == u.owned.round || cmd.Behind || cmd.tries().Next.After(u.round.batch.Now) {
		if u.round.p.expired(cmd, u.round.batch.Now) {
			return false
		}
		u.block(i, cmd.tries())
		return true
	}
	return false
}

// block leaves a command waiting, and with it what comes after it in the round.
func (u *Unit) block(i int, tries Tries) {
	u.round.decided[i].waits = &tries
	u.r.blocked = u.owned.round
}

// setAside lets a command wait whose handler asked for another try. It gives the refusal where there is one after all: the handler did not
// ask, or the budget is used up.
func (u *Unit) setAside(i int, refusal *Error) *Error {
	ask := refusal.ask
	if ask == nil {
		return refusal
	}
	cmd, now, p := &u.round.batch.Commands[i], u.round.batch.Now, u.round.p
	tries := cmd.tries()
	tries.Count++
	tries.Executions = cmd.Attempt
	if tries.Since.IsZero() {
		tries.Since = now
	}
	policy := p.retry
	if ask.attempts > 0 {
		policy.Attempts = ask.attempts
	}
	if ask.within > 0 {
		policy.Within = ask.within
	}
	delay := ask.after
	if delay == 0 {
		delay = policy.delay(tries.Count, p.jitter(cmd.ID, tries.Count))
	}
	tries.Next = now.Add(delay).Truncate(time.Microsecond)
	switch {
	case tries.Count >= policy.Attempts:
		return exhausted(cmd, tries, now, "all attempts are used up", refusal)
	case tries.Next.Sub(tries.Since) > policy.Within:
		return exhausted(cmd, tries, now, "the next try would be too late for the budget of "+policy.Within.String(), refusal)
	case !cmd.Deadline.IsZero() && tries.Next.After(cmd.Deadline):
		return exhausted(cmd, tries, now, "the next try would be after the command's deadline", refusal)
	}
	u.block(i, tries)
	return nil
}

// expired tells whether a command came too late to be executed.
func (p *Processor) expired(cmd *Command, now time.Time) bool {
	return !cmd.Deadline.IsZero() && now.Sub(cmd.Deadline) > p.tolerance
}
