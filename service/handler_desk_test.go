package service_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// The contract of the tests of stateless handlers: a desk that takes slips and has them paid at the till, another group.
type (
	slip struct {
		ID  string // of the order; each may be paid once
		How string // one of the ways below
	}
	tally struct{ Count int }
)

// The ways a desk has a slip paid.
const (
	byWriting = "write" // an event of its own and a written command
	byPoking  = "poke"  // a written command and nothing else
	byCalling = "call"  // a call, then an event of its own
)

// desks is the contract of both groups.
type desks struct {
	group, till *muster.Group
	take        *muster.CommandType[slip, tally]
	taken       *muster.EventType[slip]
	pay         *muster.CommandType[slip, tally]
	paid        *muster.EventType[slip]
}

// desksIn declares the contract under a name; parent and child process call it with the same.
func desksIn(name string, partitions int) *desks {
	g, till := muster.NewGroup(name, muster.Partitions(partitions)), muster.NewGroup(name+"-till", muster.Partitions(partitions+1))
	return &desks{
		group: g, till: till,
		take: muster.NewCommand[slip, tally](g, "desk.Take"), taken: muster.NewEvent[slip](g, "desk.Taken"),
		pay: muster.NewCommand[slip, tally](till, "till.Pay"), paid: muster.NewEvent[slip](till, "till.Paid"),
	}
}

// clerk handles the slips.
func (d *desks) clerk() *muster.Handler {
	return muster.HandleCommand(d.take, func(ctx context.Context, _ *muster.Command, in slip, w muster.Writer) (tally, error) {
		switch in.How {
		case byPoking:
			return tally{}, d.pay.Write(w, "box-"+in.ID, in, muster.NoDeadline())
		case byCalling:
			got, err := d.pay.Call(ctx, w.Client(), "box-"+in.ID, in)
			if err != nil {
				return tally{}, err
			}
			return got, d.taken.Write(w, in)
		}
		return tally{Count: 1}, errors.Join(d.taken.Write(w, in), d.pay.Write(w, "box-"+in.ID, in, muster.NoDeadline()))
	})
}

// cashier owns the till: it pays whatever it is told to, so that a command that takes effect twice shows.
func (d *desks) cashier() *muster.Aggregate[tally] {
	a := muster.NewAggregate(d.till, func() tally { return tally{} })
	muster.Decide(a, d.pay, func(_ context.Context, r *muster.Root[tally], in slip) (tally, error) {
		d.paid.Emit(r, in)
		return r.State(), nil
	})
	muster.Evolve(a, d.paid, func(s tally, _ slip) tally { return tally{Count: s.Count + 1} })
	return a
}

// insist has a slip taken by whoever owns the desk, with one id, until it is answered.
func (d *desks) insist(ctx context.Context, client *muster.Client, in slip) error {
	for {
		_, err := d.take.Call(ctx, client, "desk-"+in.ID[len(in.ID)-1:], in, muster.CommandID("take-"+in.ID), muster.Timeout(2*time.Second))
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("not answered within %v: %w", patience, err)
		case err == nil:
			return nil
		case muster.CodeOf(err) == muster.DeadlineExceeded, muster.CodeOf(err) == muster.Unavailable:
			continue
		default:
			return err
		}
	}
}

// give has n slips of every way taken by a few workers and gives their ids.
func (d *desks) give(t *testing.T, client *muster.Client, round string, n int) (ids []string) {
	t.Helper()
	ctx, cancel := contextFor(t)
	defer cancel()
	var all sync.WaitGroup
	for _, how := range []string{byWriting, byPoking, byCalling} {
		var mine []slip
		for i := range n {
			mine = append(mine, slip{ID: fmt.Sprintf("%s-%s-%d", round, how, i), How: how})
			ids = append(ids, mine[i].ID)
		}
		for w := range 2 {
			all.Go(func() {
				for i := w; i < n; i += 2 {
					if err := d.insist(ctx, client, mine[i]); err != nil {
						t.Errorf("slip %s: %v", mine[i].ID, err)
					}
				}
			})
		}
	}
	all.Wait()
	return ids
}

// paidOnce fails the test unless the till pays every slip, and none twice. What was written is paid a moment after its slip was taken.
func (d *desks) paidOnce(t *testing.T, brokers []string, ids []string) {
	t.Helper()
	ctx, cancel := contextFor(t)
	defer cancel()
	count := func(g *muster.Group, e *muster.EventType[slip]) map[string]int {
		j, err := history.Read(ctx, connection(brokers), g)
		if err != nil {
			t.Fatal(err)
		}
		n := map[string]int{}
		for p := range j.Events {
			for i := range j.Events[p] {
				in, err := e.Decode(muster.PlainCodec{}, &j.Events[p][i])
				if err != nil {
					t.Fatal(err)
				}
				n[in.ID]++
			}
		}
		return n
	}
	var paid map[string]int
	eventually(t, "the till has paid all slips", func() bool {
		paid = count(d.till, d.paid)
		return len(paid) == len(ids)
	})
	for _, id := range ids {
		if paid[id] != 1 {
			t.Errorf("slip %s was paid %d times", id, paid[id])
		}
	}
	for id, n := range count(d.group, d.taken) {
		if n != 1 {
			t.Errorf("slip %s was taken %d times", id, n)
		}
	}
}

// open starts the till's owner, which is the caller, too.
func (d *desks) open(t *testing.T, brokers []string) *running {
	t.Helper()
	return start(t, service.Config{
		Name: kafkatest.UniqueName(t, "till"), Brokers: brokers, DataDir: t.TempDir(), SessionTimeout: 3 * time.Second, ReplyPartitions: 1,
	}, d.cashier())
}
