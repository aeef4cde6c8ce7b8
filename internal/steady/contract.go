package main

import (
	"context"
	"encoding/base64"
	"math/rand/v2"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// partitions is the partition count of both groups.
const partitions = 4

type (
	deposit struct {
		Amount int64
		Note   string
	}
	credited deposit
	account  struct {
		Balance, Entries int64
		Note             string
	}
)

// noteBytes makes states and answers so large that the store writes its buffer of 16 MiB out every minute: what fills up more slowly than a run lasts
// would look like growth.
const noteBytes = 6 << 10

// newNote cannot be compressed away.
func newNote() string {
	random := make([]byte, noteBytes*3/4)
	for i := range random {
		random[i] = byte(rand.Uint32())
	}
	return base64.StdEncoding.EncodeToString(random)
}

func (a account) plus(in deposit) account {
	return account{a.Balance + in.Amount, a.Entries + 1, in.Note}
}

// ledger is a contract that takes deposits. Of its two events it uses the one that its journal is made for.
type ledger struct {
	group    *muster.Group
	deposit  *muster.CommandType[deposit, account]
	credited *muster.EventType[credited] // of a journal that keeps all
	is       *muster.EventType[account]  // of one that keeps the latest
}

func newLedger(name string, policy muster.JournalPolicy) *ledger {
	g := muster.NewGroup(name, muster.Partitions(partitions), muster.Journal(policy))
	l := &ledger{group: g, deposit: muster.NewCommand[deposit, account](g, "steady.Deposit")}
	if policy == muster.KeepLatest {
		l.is = muster.NewEvent[account](g, "steady.Is")
	} else {
		l.credited = muster.NewEvent[credited](g, "steady.Credited")
	}
	return l
}

func (l *ledger) owner() *muster.Aggregate[account] {
	a := muster.NewAggregate(l.group, func() account { return account{} })
	if l.is != nil {
		muster.Evolve(a, l.is, func(_ account, e account) account { return e })
	} else {
		muster.Evolve(a, l.credited, func(s account, e credited) account { return s.plus(deposit(e)) })
	}
	muster.Decide(a, l.deposit, func(_ context.Context, r *muster.Root[account], in deposit) (account, error) {
		if l.is != nil {
			l.is.Emit(r, r.State().plus(in))
		} else {
			l.credited.Emit(r, credited(in))
		}
		return r.State(), nil
	})
	return a
}

// balances is a view of a journal that keeps the latest: a row for each account.
func (l *ledger) balances() *projector.View[account] {
	v := projector.NewView[account]("balances")
	projector.On(v, l.is, func(_ context.Context, rows *projector.Rows[account], e account, m muster.Meta) error {
		return rows.Put(m.AggregateID, e)
	})
	return v
}
