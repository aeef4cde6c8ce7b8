package muster_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
)

// queue is a consumer of partition 0 in memory: what is waiting comes again when it is due, what is behind it is marked so. progress is all
// that an heir finds.
type queue struct {
	w        *world
	log      []muster.Command // by offset
	progress muster.Progress
	held     []held // in log order
	dead     []string
	replies  map[string][]*muster.Outcome
	retries  int
	commands int // that handlers wrote
}

type held struct {
	cmd  muster.Command
	wake time.Time
}

func newQueue(w *world) *queue {
	q := &queue{w: w, replies: map[string][]*muster.Outcome{}}
	w.take(0)
	return q
}

func (q *queue) send(commands ...muster.Command) {
	for _, cmd := range commands {
		cmd.Topic, cmd.Offset = "accounts.commands", int64(len(q.log))
		q.log = append(q.log, cmd)
	}
}

// due tells whether the commands of an aggregate that wait are to be handed in.
func (q *queue) due(aggregate string) bool {
	return slices.ContainsFunc(q.held, func(h held) bool {
		return h.cmd.AggregateID == aggregate && !h.wake.IsZero() && !h.wake.After(q.w.now)
	})
}

func (q *queue) waits(aggregate string) bool {
	return slices.ContainsFunc(q.held, func(h held) bool { return h.cmd.AggregateID == aggregate })
}

// poll gives what is due, and up to n new commands.
func (q *queue) poll(n int) []muster.Command {
	var batch []muster.Command
	for _, h := range q.held {
		if q.due(h.cmd.AggregateID) {
			batch = append(batch, h.cmd)
		}
	}
	for _, cmd := range q.log[q.progress.Next:min(len(q.log), int(q.progress.Next)+n)] {
		cmd.Behind = q.waits(cmd.AggregateID) && !q.due(cmd.AggregateID)
		batch = append(batch, cmd)
	}
	return batch
}

// step does one batch with up to n new commands, aborting it some times first. It gives the number of commands taken.
func (q *queue) step(n, aborts int) int {
	q.w.t.Helper()
	batch := &muster.Batch{Commands: q.poll(n), Now: q.w.now, Attempt: 1, Progress: []muster.Progress{q.progress}}
	if len(batch.Commands) == 0 {
		return 0
	}
	for ; ; aborts-- {
		round, err := q.w.p.Begin(batch, nil)
		if err != nil {
			q.w.t.Fatal(err)
		}
		size := max(q.w.slice, 1)
		for units := round.Slice(size); len(units) > 0; units = round.Slice(size) {
			q.w.run(units)
		}
		if err := round.Err(); err != nil {
			q.w.t.Fatal(err)
		}
		decision, waiting := round.Decision(), round.Waiting()
		if aborts > 0 {
			q.w.journal.aborted(decision.Events)
			round.Abort()
			batch.Attempt++
			continue
		}
		q.done(batch, round.Taken(), waiting)
		q.commands += len(decision.Commands)
		f := q.w.commit(round, decision)
		for i := range f.replies {
			q.replies[f.replies[i].CommandID] = append(q.replies[f.replies[i].CommandID], f.replies[i].Outcome)
		}
		for i := range decision.Dead {
			q.dead = append(q.dead, decision.Dead[i].Command.ID)
		}
		if len(decision.Offsets) > 0 {
			q.progress = decision.Offsets[0]
			q.progress.Waiting = slices.Clone(q.progress.Waiting)
		}
		q.check()
		return round.Taken()
	}
}

// done keeps what a committed batch leaves waiting.
func (q *queue) done(batch *muster.Batch, taken int, waiting []muster.Waiting) {
	for i := range batch.Commands[:taken] {
		offset := batch.Commands[i].Offset
		q.held = slices.DeleteFunc(q.held, func(h held) bool { return h.cmd.Offset == offset })
	}
	for _, one := range waiting {
		cmd := batch.Commands[one.Index]
		cmd.Tries, cmd.Behind = &one.Tries, false
		q.held = append(q.held, held{cmd: cmd, wake: one.Wake})
		if one.Retried {
			q.retries++
		}
	}
	slices.SortFunc(q.held, func(a, b held) int { return int(a.cmd.Offset - b.cmd.Offset) })
}

// check holds what is kept against what is committed.
func (q *queue) check() {
	q.w.t.Helper()
	var offsets []int64
	for _, h := range q.held {
		offsets = append(offsets, h.cmd.Offset)
		if h.cmd.Offset >= q.progress.Next {
			q.w.t.Fatalf("offset %d waits, and %d is next", h.cmd.Offset, q.progress.Next)
		}
	}
	if !slices.Equal(offsets, q.progress.Waiting) {
		q.w.t.Fatalf("offsets %v wait, and %v are committed as waiting", offsets, q.progress.Waiting)
	}
}

// takeOver begins a new owner that knows what is committed and nothing else.
func (q *queue) takeOver() {
	q.held = nil
	for _, offset := range q.progress.Waiting {
		q.held = append(q.held, held{cmd: q.log[offset], wake: q.w.now})
	}
	q.w.restart()
	q.w.take(0)
}

// drain goes on until nothing is left, moving the clock to whatever is due next.
func (q *queue) drain(n int) {
	q.w.t.Helper()
	for range 10_000 {
		if q.step(n, 0) > 0 {
			continue
		}
		if len(q.held) == 0 {
			return
		}
		next := time.Time{}
		for _, h := range q.held {
			if !h.wake.IsZero() && (next.IsZero() || h.wake.Before(next)) {
				next = h.wake
			}
		}
		if next.IsZero() || !next.After(q.w.now) {
			q.w.t.Fatalf("%d commands wait for nothing", len(q.held))
		}
		q.w.now = next
	}
	q.w.t.Fatal("it does not end")
}

// flaky lets hooked commands end as their text says: "3" asks for another try three times and then works, "refuse" and "drop" are what
// they say, "never" always asks again.
type flaky struct {
	bank *bank
	mu   sync.Mutex       // guards what follows
	runs map[string]int   // executions by command id
	seen map[string][]int // Attempt at each execution
	opts []muster.RetryOption
}

func newFlaky() *flaky {
	f := &flaky{bank: newBank(), runs: map[string]int{}, seen: map[string][]int{}}
	f.bank.Hook = f.decide
	return f
}

func (f *flaky) decide(ctx context.Context, root *muster.Root[account], in order) (account, error) {
	meta, _ := muster.MetaFrom(ctx)
	f.mu.Lock()
	f.runs[meta.ID]++
	f.seen[meta.ID] = append(f.seen[meta.ID], meta.Attempt)
	n := f.runs[meta.ID]
	f.mu.Unlock()
	switch {
	case in.Text != "" || n <= in.Times:
		f.bank.Noted.Emit(root, moved{Text: meta.ID}) // changes the state in place, and nothing of it may be kept
	case root.Revision() == 0:
		f.bank.Opened.Emit(root, moved{Text: "new"})
	default:
		f.bank.Credited.Emit(root, moved{Amount: 1})
	}
	switch {
	case in.Text == "refuse":
		return account{}, muster.Errorf(muster.FailedPrecondition, "no")
	case in.Text == "drop":
		return account{}, muster.Drop("unknown currency")
	case in.Text == "never" || n <= in.Times:
		return account{}, fmt.Errorf("wrapped: %w", muster.RetryLater(fmt.Errorf("rates are not there yet"), f.opts...))
	}
	return root.State(), nil
}
