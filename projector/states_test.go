package projector_test

import (
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

type account struct {
	Owner   string
	Balance int64
}

type hasOpened struct{ Owner string }

type credited struct{ Amount int64 }

// states are the accounts of a small bank, as its owner folds them.
func states() (v *projector.View[account], event func(kind, id string, payload string) *muster.Event) {
	g := muster.NewGroup("accounts", muster.Partitions(1))
	opening, crediting := muster.NewEvent[hasOpened](g, "opened"), muster.NewEvent[credited](g, "credited")
	aggregate := muster.NewAggregate(g, func() account { return account{Owner: "nobody"} })
	muster.Evolve(aggregate, opening, func(s account, e hasOpened) account { s.Owner = e.Owner; return s })
	muster.Evolve(aggregate, crediting, func(s account, e credited) account { s.Balance += e.Amount; return s })
	v = projector.NewStates("accounts-list", aggregate)
	projector.Index(v, "owner", func(_ string, a account) []string { return []string{a.Owner} })
	return v, func(kind, id, payload string) *muster.Event {
		return &muster.Event{
			Meta:    muster.Meta{ID: id + kind, Type: kind, Group: "accounts", AggregateID: id, ContentType: muster.ContentJSON, Topic: "accounts.events"},
			Payload: []byte(payload), Count: 1,
		}
	}
}

// The view of all states needs no function: the group's own fold makes its rows.
func TestStates(t *testing.T) {
	v, event := states()
	noError(t, v.Validate(""))
	if groups := v.Groups(); len(groups) != 1 || groups[0].Name() != "accounts" {
		t.Fatalf("it reads %v", groups)
	}
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	run := func(events ...*muster.Event) error {
		b, err := h.Begin(t.Context())
		noError(t, err)
		defer b.Rollback()
		for _, ev := range events {
			b.Before(&projector.Running{ID: ev.ID})
			if err := projector.Handle(t.Context(), v.Definition(), b.Tx(), ev); err != nil {
				return err
			}
		}
		return b.Commit(t.Context(), projector.Change{})
	}
	noError(t, run(event("opened", "acc-1", `{"Owner":"ann"}`), event("credited", "acc-1", `{"Amount":5}`), event("credited", "acc-2", `{"Amount":7}`)))
	noError(t, run(event("credited", "acc-1", `{"Amount":3}`)))
	if err := run(event("credited", "acc-1", "{")); err == nil || !strings.Contains(err.Error(), "credited") {
		t.Fatalf("an event that cannot be decoded: %v", err)
	}
	if err := run(event("closed", "acc-1", "{}")); err == nil || !strings.Contains(err.Error(), "no evolve function") {
		t.Fatalf("an event that cannot be folded: %v", err)
	}
	for key, want := range map[string]account{"acc-1": {"ann", 8}, "acc-2": {"nobody", 7}} {
		if got, err := v.Get(t.Context(), s, key); got != want || err != nil {
			t.Fatalf("%s is %v, %v; want %v", key, got, err, want)
		}
	}
	if page, err := v.ByIndex(t.Context(), s, "owner", "ann"); err != nil || len(page.Rows) != 1 || page.Rows[0].Key != "acc-1" {
		t.Fatalf("by owner: %+v, %v", page, err)
	}
}
