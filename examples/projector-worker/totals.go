package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/projector"
)

// total is a row of the view totals: what an account has taken in, altogether and by kind. The key is the account's id.
type total struct {
	In      int64            // cents
	Kinds   map[string]int64 // cents by kind
	Largest int64            // cents; since version 2
}

// build is what a release of this program knows.
type build struct {
	kindOf func(text string) (string, error)
}

var (
	// firstBuild has a fault: it takes for granted that each text begins with a kind, as in "salary: May".
	firstBuild = build{kindOf: func(text string) (string, error) {
		kind, _, ok := strings.Cut(text, ": ")
		if !ok {
			return "", fmt.Errorf("no kind in %q", text)
		}
		return kind, nil
	}}
	// fixedBuild can do with any text.
	fixedBuild = build{kindOf: func(text string) (string, error) {
		kind, _, ok := strings.Cut(text, ": ")
		if !ok {
			kind = "other"
		}
		return kind, nil
	}}
)

// options are those of all versions: an event that fails is tried once more, and then its account is parked.
func options(version int) []projector.Option {
	return []projector.Option{
		projector.Version(version),
		projector.RouteBy(projector.ByKey), // a row's key is the id of the account it is made from: a read asks one instance
		projector.OnFailure(projector.Policy{Tries: 2, First: 10 * time.Millisecond, Then: projector.Park}),
		projector.Switch(projector.SwitchByHand),
	}
}

// totals is the projection as it was first.
func (b build) totals() *projector.View[total] {
	v := projector.NewView[total]("totals", options(1)...)
	projector.On(v, bank.Credited, func(_ context.Context, rows *projector.Rows[total], e *bankpb.Credited, m muster.Meta) error {
		return b.take(rows, m.AggregateID, e, func(*total) {})
	})
	return v
}

// totals2 knows the largest amount, too: rows of another form, so another version, made from the whole journal.
func (b build) totals2() *projector.View[total] {
	v := projector.NewView[total]("totals", options(2)...)
	projector.On(v, bank.Credited, func(_ context.Context, rows *projector.Rows[total], e *bankpb.Credited, m muster.Meta) error {
		return b.take(rows, m.AggregateID, e, func(t *total) { t.Largest = max(t.Largest, e.GetAmount()) })
	})
	return v
}

// take adds an amount to the row of an account and to the counter of all.
func (b build) take(rows *projector.Rows[total], account string, e *bankpb.Credited, more func(*total)) error {
	kind, err := b.kindOf(e.GetText())
	if err != nil {
		return err
	}
	if err := rows.Add("in", e.GetAmount()); err != nil {
		return err
	}
	return rows.Update(account, func(t total) total {
		if t.Kinds == nil {
			t.Kinds = map[string]int64{}
		}
		t.In += e.GetAmount()
		t.Kinds[kind] += e.GetAmount()
		more(&t)
		return t
	})
}
