package main

import (
	"context"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/privacy/peoplepb"
	"github.com/seed-3eec0498/muster/projector"
)

// The contract.
var (
	people   = muster.NewGroup("people", muster.Partitions(3))
	signUp   = muster.NewCommand[*peoplepb.SignUp, *peoplepb.Person](people, "people.SignUp")
	order    = muster.NewCommand[*peoplepb.Order, *peoplepb.Person](people, "people.Order")
	ask      = muster.NewQuery[*peoplepb.Ask, *peoplepb.Person](people, "people.Ask")
	signedUp = muster.NewEvent[*peoplepb.SignedUp](people, "people.SignedUp")
	ordered  = muster.NewEvent[*peoplepb.Ordered](people, "people.Ordered")
)

// behaviour is the owner's part. Its evolve functions do not ask whether a name is there: of an erased person it is absent, which reads as empty.
func behaviour() *muster.Aggregate[*peoplepb.Person] {
	a := muster.NewAggregate(people, func() *peoplepb.Person { return &peoplepb.Person{} })
	muster.Decide(a, signUp, func(_ context.Context, r *muster.Root[*peoplepb.Person], in *peoplepb.SignUp) (*peoplepb.Person, error) {
		signedUp.Emit(r, &peoplepb.SignedUp{Name: in.Name, Email: in.Email, City: in.City})
		return r.State(), nil
	})
	muster.Decide(a, order, func(_ context.Context, r *muster.Root[*peoplepb.Person], in *peoplepb.Order) (*peoplepb.Person, error) {
		if r.Revision() == 0 {
			return nil, muster.Errorf(muster.NotFound, "nobody has signed up as %s", r.ID())
		}
		ordered.Emit(r, &peoplepb.Ordered{Cents: in.Cents})
		return r.State(), nil
	})
	muster.Evolve(a, signedUp, func(s *peoplepb.Person, e *peoplepb.SignedUp) *peoplepb.Person {
		s.Name, s.Email, s.City, s.Letters = e.Name, e.Email, e.City, int64(len(e.Name))
		return s
	})
	muster.Evolve(a, ordered, func(s *peoplepb.Person, e *peoplepb.Ordered) *peoplepb.Person {
		s.Orders, s.Cents = s.Orders+1, s.Cents+e.Cents
		return s
	})
	muster.Answer(a, ask, func(_ context.Context, s muster.State[*peoplepb.Person], _ *peoplepb.Ask) (*peoplepb.Person, error) {
		return s.Value(), nil
	})
	return a
}

// directory is a read model: everybody, found by city. Told that somebody is erased, it only counts; the rows are redacted without its help.
func directory() *projector.View[*peoplepb.Person] {
	v := projector.NewView[*peoplepb.Person]("directory")
	projector.Index(v, "city", func(_ string, row *peoplepb.Person) []string { return []string{row.City} })
	projector.On(v, signedUp, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.SignedUp, m muster.Meta) error {
		return rows.Put(m.AggregateID, &peoplepb.Person{Name: e.Name, Email: e.Email, City: e.City})
	})
	projector.On(v, ordered, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], e *peoplepb.Ordered, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(row *peoplepb.Person) *peoplepb.Person {
			row.Orders, row.Cents = row.Orders+1, row.Cents+e.Cents
			return row
		})
	})
	projector.OnErased(v, func(_ context.Context, rows *projector.Rows[*peoplepb.Person], _ projector.SubjectErased) error {
		return rows.Add("erasures seen", 1)
	})
	return v
}
