package muster_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/sealtest"
)

// personIn, personFact and person are a command, an event and a state with one personal field each.
type personIn struct {
	Name string `json:"name,omitempty"`
	Plan string `json:"plan,omitempty"`
}

type personFact struct {
	Name string `json:"name,omitempty"`
	Plan string `json:"plan,omitempty"`
}

type person struct {
	Name  string `json:"name,omitempty"`
	Plan  string `json:"plan,omitempty"`
	Count int    `json:"count,omitempty"`
}

// people is an owner whose payloads are sealed.
type people struct {
	group   *muster.Group
	sign    *muster.CommandType[personIn, person]
	look    *muster.QueryType[personIn, person]
	signed  *muster.EventType[personFact]
	account *muster.Aggregate[person]
	codec   *sealtest.Codec
}

func newPeople(options ...muster.GroupOption) *people {
	g := muster.NewGroup("people", append([]muster.GroupOption{muster.Partitions(4)}, options...)...)
	p := &people{
		group: g, sign: muster.NewCommand[personIn, person](g, "sign"), look: muster.NewQuery[personIn, person](g, "look"),
		signed: muster.NewEvent[personFact](g, "Signed"), account: muster.NewAggregate(g, func() person { return person{} }),
		codec: &sealtest.Codec{Fields: map[string][]string{}},
	}
	for _, v := range []any{personIn{}, personFact{}, person{}} {
		p.codec.Fields[fmt.Sprintf("%T", v)] = []string{"name"}
	}
	muster.Decide(p.account, p.sign, func(_ context.Context, root *muster.Root[person], in personIn) (person, error) {
		p.signed.Emit(root, personFact(in))
		return root.State(), nil
	})
	muster.Answer(p.account, p.look, func(_ context.Context, s muster.State[person], _ personIn) (person, error) { return s.Value(), nil })
	muster.Evolve(p.account, p.signed, func(s person, e personFact) person {
		return person{Name: e.Name, Plan: e.Plan, Count: s.Count + 1}
	})
	return p
}

func (p *people) world(t testing.TB) *world {
	t.Helper()
	w := newWorld(t, p.account.Behaviour())
	w.config.Codec = p.codec
	w.restart()
	return w
}

// command makes one as a sender does, each time sealed anew.
func (p *people) command(t testing.TB, partition int32, aggregate, id, name string) muster.Command {
	t.Helper()
	place := muster.Place{Purpose: muster.PurposeCommand, Group: "people", Type: "sign", AggregateID: aggregate, MessageID: id}
	payload, content, err := p.codec.Encode(nil, place, personIn{Name: name, Plan: "gold"})
	if err != nil {
		t.Fatal(err)
	}
	return muster.Command{
		Meta: muster.Meta{
			ID: id, Type: "sign", Group: "people", AggregateID: aggregate, Time: epoch, ContentType: content, CorrelationID: id, Partition: partition,
		},
		Payload: payload, ReplyTo: muster.ReplyTo{Topic: "replies.web"},
	}
}

// stored gives the stored state of an aggregate in partition 0.
func (p *people) stored(t testing.TB, w *world, id string) (person, uint64) {
	t.Helper()
	stored, err := w.store.Load(0, id)
	if err != nil {
		t.Fatal(err)
	}
	if stored.Revision == 0 {
		return person{}, 0
	}
	var s person
	place := muster.Place{Purpose: muster.PurposeState, Group: "people", Type: "people", AggregateID: id, Revision: stored.Revision}
	if err := p.codec.Decode(place, stored.Data, &s); err != nil {
		t.Fatal(err)
	}
	return s, stored.Revision
}

// roundError decides a batch of which nothing can be committed, and gives why.
func roundError(t testing.TB, w *world, cmds ...muster.Command) error {
	t.Helper()
	round, err := w.p.Begin(w.batch(cmds...), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range round.Slice(len(cmds)) {
		u.Run(t.Context())
	}
	err = round.Err()
	round.Abort()
	if err == nil {
		t.Fatal("the round was decided")
	}
	return err
}
