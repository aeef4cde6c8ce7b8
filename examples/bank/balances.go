package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/projector"
)

// The names under which the view is asked.
const (
	byHolder  = "holder" // index: the accounts of somebody
	totalName = "total"  // counter: the money of all accounts, in cents
)

// newBalances is the list of balances: the key of a row is the account id. It is kept from the journal, beside the owner, and never asks it.
// What an index finds rows by lies in clear: where holders are personal, blind makes of a holder what tells nobody who it is. Nil: they are not.
func newBalances(blind func(holder string) string) *projector.View[*bankpb.Account] {
	v := projector.NewView[*bankpb.Account]("balances", projector.RouteBy(projector.ByKey))
	projector.On(v, bank.Opened, func(_ context.Context, rows *projector.Rows[*bankpb.Account], e *bankpb.Opened, m muster.Meta) error {
		return rows.Put(m.AggregateID, &bankpb.Account{Holder: e.GetHolder()})
	})
	projector.On(v, bank.Credited, func(_ context.Context, rows *projector.Rows[*bankpb.Account], e *bankpb.Credited, m muster.Meta) error {
		return book(rows, m.AggregateID, e.GetAmount())
	})
	projector.On(v, bank.Debited, func(_ context.Context, rows *projector.Rows[*bankpb.Account], e *bankpb.Debited, m muster.Meta) error {
		return book(rows, m.AggregateID, -e.GetAmount())
	})
	projector.Index(v, byHolder, func(_ string, a *bankpb.Account) []string {
		if holder := a.GetHolder(); blind == nil {
			return []string{holder}
		} else if holder != "" { // it is not withheld
			return []string{blind(holder)}
		}
		return nil
	})
	return v
}

// book changes the row of an account, and the counter with it: both are committed together, with how far the view is.
func book(rows *projector.Rows[*bankpb.Account], id string, amount int64) error {
	if err := rows.Add(totalName, amount); err != nil {
		return err
	}
	return rows.Update(id, func(a *bankpb.Account) *bankpb.Account {
		a.Balance += amount
		return a
	})
}
