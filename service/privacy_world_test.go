package service_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
)

// A member is a person whose name is personal data; everything that holds it says so.
type (
	joinIn struct {
		Name string `json:"name" muster:"personal"`
		Plan string `json:"plan"`
	}
	joinedFact struct {
		Name string `json:"name" muster:"personal"`
		Plan string `json:"plan"`
	}
	member struct {
		Name  string `json:"name" muster:"personal"`
		Plan  string `json:"plan"`
		Count int    `json:"count"`
	}
)

// club is a contract with personal data in everything.
type club struct {
	group  *muster.Group
	join   *muster.CommandType[joinIn, member]
	refuse *muster.CommandType[joinIn, member] // panics
	look   *muster.QueryType[joinIn, member]
	joined *muster.EventType[joinedFact]
	roll   *projector.View[member]
}

func newClub(t *testing.T) *club {
	g := muster.NewGroup(kafkatest.UniqueName(t, "club"), muster.Partitions(2))
	c := &club{
		group: g, join: muster.NewCommand[joinIn, member](g, "club.Join"), refuse: muster.NewCommand[joinIn, member](g, "club.Refuse"),
		look: muster.NewQuery[joinIn, member](g, "club.Look"), joined: muster.NewEvent[joinedFact](g, "club.Joined"),
		roll: projector.NewView[member](kafkatest.UniqueName(t, "roll"), projector.OnFailure(projector.Policy{Tries: 1})),
	}
	projector.On(c.roll, c.joined, func(_ context.Context, rows *projector.Rows[member], e joinedFact, m muster.Meta) error {
		switch e.Plan {
		case "park":
			return errors.New("it is parked")
		case "panic":
			panic(e)
		}
		return rows.Put(m.AggregateID, member{Name: e.Name, Plan: e.Plan, Count: int(m.Revision)})
	})
	return c
}

func (c *club) owner() *muster.Aggregate[member] {
	a := muster.NewAggregate(c.group, func() member { return member{} })
	muster.Decide(a, c.join, func(_ context.Context, r *muster.Root[member], in joinIn) (member, error) {
		c.joined.Emit(r, joinedFact(in))
		return r.State(), nil
	})
	muster.Decide(a, c.refuse, func(_ context.Context, _ *muster.Root[member], in joinIn) (member, error) { panic(in) })
	muster.Evolve(a, c.joined, func(s member, e joinedFact) member { return member{Name: e.Name, Plan: e.Plan, Count: s.Count + 1} })
	muster.Answer(a, c.look, func(_ context.Context, s muster.State[member], _ joinIn) (member, error) { return s.Value(), nil })
	return a
}

// memoryPrivacy seals with keys that end with the test.
func memoryPrivacy() *crypto.Config {
	return &crypto.Config{Keys: crypto.NewMemoryKeys(), KMS: crypto.NewMemoryKMS(), SubjectKey: bytes.Repeat([]byte{9}, 32)}
}
