//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/service"
)

// order is a command as it is sent, however often.
type order struct {
	id, aggregate string
	entry         entry
}

// recent remembers orders that were answered, so that others ask for them again.
type recent struct {
	mu     sync.Mutex // guards orders
	orders []order
}

const remembered = 256

func (r *recent) put(random *rand.Rand, o order) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.orders) < remembered {
		r.orders = append(r.orders, o)
		return
	}
	r.orders[random.IntN(remembered)] = o
}

func (r *recent) get(random *rand.Rand) (order, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.orders) == 0 {
		return order{}, false
	}
	return r.orders[random.IntN(len(r.orders))], true
}

// workload is what all callers do and saw.
type workload struct {
	*ledgers
	seed    uint64
	log     history.Log
	again   recent
	serial  atomic.Int64
	unknown atomic.Int64 // attempts that ended without the caller knowing what became of them
	pace    time.Duration
	healed  chan struct{} // closed when the faults have ended: a caller ends with its first answer after that
	broken  func(error)   // told of answers that nobody should get
}

const (
	attempt = 5 * time.Second       // how long one attempt waits, as the default of a call does
	hasty   = 20 * time.Millisecond // how long those wait who do not ask again
	warm    = 100                   // aggregates of a caller that are used often
	cold    = 20_000                // and those that are hardly used
)

// caller is one goroutine that keeps to one partition: a stall of a partition is one of its callers, and of nobody else.
type caller struct {
	*workload
	name    string
	service *service.Service
	random  *rand.Rand
	zipf    *rand.Zipf
	keep    func(aggregate string) bool // whether it lies in the caller's partition
}

func (w *workload) newCaller(number int, s *service.Service) *caller {
	home, partition := w.partitioned(), int32(number)%w.group.Partitions()
	random := rand.New(rand.NewPCG(w.seed, uint64(1000+number)))
	return &caller{
		workload: w, name: fmt.Sprintf("%s/%02d", s.Instance(), number), service: s, random: random,
		zipf: rand.NewZipf(random, 1.1, 3, cold),
		keep: func(aggregate string) bool { return home(aggregate) == partition },
	}
}

// run calls until the faults have ended and one more call was answered, or ctx ends.
func (c *caller) run(ctx context.Context) {
	tick := time.NewTicker(c.pace)
	defer tick.Stop()
	for {
		after := false
		select {
		case <-c.healed:
			after = true
		default:
		}
		if c.one(ctx, after) && after || ctx.Err() != nil {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// one makes one call, and tells whether it was answered.
func (c *caller) one(ctx context.Context, plain bool) bool {
	switch chance := c.random.IntN(100); {
	case plain:
		return c.insist(ctx, c.draw())
	case chance < 5:
		return c.query(ctx)
	case chance < 10:
		if o, is := c.again.get(c.random); is {
			return c.insist(ctx, o)
		}
	case chance < 12:
		c.abandon(ctx, c.draw())
		return false
	}
	return c.insist(ctx, c.draw())
}

// aggregate draws one of the caller's partition: the same few most of the time.
func (c *caller) aggregate() string {
	for {
		if id := fmt.Sprintf("acc-%d", c.zipf.Uint64()); c.keep(id) {
			return id
		}
	}
}

// draw makes an order: one in ten is to be refused, one in a hundred becomes a dead letter, a few are large.
func (c *caller) draw() order {
	o := order{id: fmt.Sprintf("c-%d", c.serial.Add(1)), aggregate: c.aggregate()}
	o.entry = entry{Command: o.id, Events: 1 + c.random.IntN(3)}
	switch chance := c.random.IntN(100); {
	case chance < 10:
		o.entry.Events = 0
	case chance < 11:
		o.entry.Events = -1
	case chance < 13:
		o.entry.Events = 10 + c.random.IntN(90)
	case chance < 15:
		o.entry.Padding = strings.Repeat("x", c.random.IntN(32<<10))
	case chance < 50:
		o.entry.Padding = strings.Repeat("x", c.random.IntN(512))
	}
	return o
}

// insist asks with the same id until there is an answer.
func (c *caller) insist(ctx context.Context, o order) bool {
	call := history.Call{Caller: c.name, ID: o.id, Aggregate: o.aggregate, Sent: time.Now()}
	for {
		var receipt muster.Receipt
		call.Attempts++
		got, err := c.add.Call(ctx, c.service.Client(), o.aggregate, o.entry, muster.CommandID(o.id), muster.ReceiptTo(&receipt), muster.Timeout(attempt))
		switch {
		case err == nil:
			call.Answered, call.Revision, call.Position, call.Answer = time.Now(), receipt.Revision, receipt.Position, text(got)
			call.Mark = history.Mark{Aggregate: o.aggregate, Command: got.Last}
			c.again.put(c.random, o)
			if o.entry.Events <= 0 {
				c.broken(fmt.Errorf("command %s was to be refused and was carried out", o.id))
			}
		case muster.CodeOf(err) == muster.FailedPrecondition && o.entry.Events == 0:
			call.Answered, call.Refused = time.Now(), true
			c.again.put(c.random, o)
		case muster.ReasonOf(err) == muster.ReasonDropped && o.entry.Events < 0:
			call.Answered, call.Refused = time.Now(), true
		case ctx.Err() == nil && c.unsettled(err):
			continue
		default:
			if ctx.Err() == nil {
				c.broken(fmt.Errorf("command %s got an answer that it should not get: %w", o.id, err))
				call.GivenUp = time.Now()
			}
		}
		c.log.Add(call)
		return !call.Answered.IsZero()
	}
}

// unsettled tells whether asking again with the same id is what a caller should do, and counts those of which nobody knows what became.
func (c *caller) unsettled(err error) bool {
	if errors.Is(err, muster.ErrOutcomeUnknown) {
		c.unknown.Add(1)
	}
	code := muster.CodeOf(err)
	return code == muster.DeadlineExceeded || code == muster.Unavailable
}

// abandon asks once, hardly waits, and never asks again.
func (c *caller) abandon(ctx context.Context, o order) {
	call := history.Call{Caller: c.name, ID: o.id, Aggregate: o.aggregate, Sent: time.Now(), Attempts: 1}
	_, err := c.add.Call(ctx, c.service.Client(), o.aggregate, o.entry, muster.CommandID(o.id), muster.Timeout(hasty))
	if err != nil && !c.unsettled(err) && o.entry.Events > 0 && ctx.Err() == nil {
		c.broken(fmt.Errorf("command %s got an answer that it should not get: %w", o.id, err))
	}
	call.GivenUp = time.Now()
	c.log.Add(call)
}

// query asks for a ledger until there is an answer.
func (c *caller) query(ctx context.Context) bool {
	for {
		q := history.Query{Caller: c.name, ID: fmt.Sprintf("q-%d", c.serial.Add(1)), Aggregate: c.aggregate(), Asked: time.Now()}
		got, err := c.read.Call(ctx, c.service.Client(), q.Aggregate, question{}, muster.CommandID(q.ID), muster.Timeout(attempt))
		switch {
		case err == nil:
			q.Answered, q.Revision, q.Answer = time.Now(), uint64(got.Events), text(got)
			c.log.Ask(q)
			return true
		case ctx.Err() != nil:
			return false
		case !c.unsettled(err):
			c.broken(fmt.Errorf("query %s got an answer that it should not get: %w", q.ID, err))
			return false
		}
		c.log.Ask(q)
	}
}
