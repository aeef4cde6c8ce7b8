package service_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// A guest before and after somebody found that a name is personal, too.
type (
	guestBefore struct {
		Name  string `json:"name"`
		Email string `json:"email,omitempty" muster:"personal"`
		Seats int    `json:"seats"`
	}
	guestAfter struct {
		Name  string `json:"name,omitempty" muster:"personal"`
		Email string `json:"email,omitempty" muster:"personal"`
		Seats int    `json:"seats"`
	}
)

// guests is one build of a contract in which everything is a T.
type guests[T any] struct {
	group  *muster.Group
	book   *muster.CommandType[T, T]
	ask    *muster.QueryType[T, T]
	booked *muster.EventType[T]
	view   *projector.View[T]
}

func newGuests[T any](h *erasureHouse) *guests[T] {
	g := muster.NewGroup(h.name, muster.Partitions(1))
	b := &guests[T]{
		group: g, book: muster.NewCommand[T, T](g, "guests.Book"), ask: muster.NewQuery[T, T](g, "guests.Ask"), booked: muster.NewEvent[T](g, "guests.Booked"),
		view: projector.NewView[T](h.name),
	}
	projector.On(b.view, b.booked, func(_ context.Context, rows *projector.Rows[T], e T, m muster.Meta) error {
		return rows.Put(m.AggregateID, e)
	})
	return b
}

func (b *guests[T]) owner() *muster.Aggregate[T] {
	a := muster.NewAggregate(b.group, func() (none T) { return none })
	muster.Decide(a, b.book, func(_ context.Context, r *muster.Root[T], in T) (T, error) {
		b.booked.Emit(r, in)
		return in, nil
	})
	muster.Evolve(a, b.booked, func(_, e T) T { return e })
	muster.Answer(a, b.ask, func(_ context.Context, s muster.State[T], _ T) (T, error) { return s.Value(), nil })
	return a
}

func (b *guests[T]) books(t *testing.T, s *running, id string, in T) {
	t.Helper()
	if _, err := b.book.Call(bounded(t), s.Client(), id, in, muster.WaitFor(b.view)); err != nil {
		t.Fatal(err)
	}
}

// want checks what the owner and the view have of a guest.
func (b *guests[T]) want(t *testing.T, s *running, id string, want T) {
	t.Helper()
	var none T
	if got, err := b.ask.Call(bounded(t), s.Client(), id, none); err != nil || any(got) != any(want) {
		t.Errorf("of %s the owner has %+v, %v; want %+v", id, got, err, want)
	}
	if got, err := b.view.Get(bounded(t), s.Views(), id); err != nil || any(got) != any(want) {
		t.Errorf("of %s the view has %+v, %v; want %+v", id, got, err, want)
	}
}

// exportedOf gives the fields of what an export has of somebody, a line each.
func exportedOf(t *testing.T, s *running, id string) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := s.Privacy().Export(bounded(t), id, "desk", &out); err != nil {
		t.Fatal(err)
	}
	all := ""
	for d := json.NewDecoder(&out); d.More(); {
		var m service.ExportedMessage
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		all += string(m.Fields) + "\n"
	}
	return all
}

// verified gives the proof of an erasure that has looked into everything: rows that were read again are on hold while they are replaced.
func verified(t *testing.T, s *running, id string) (proof service.Verification) {
	t.Helper()
	eventually(t, "everything can be looked into", func() bool {
		var err error
		proof, err = s.Privacy().VerifyErased(bounded(t), id)
		return err == nil && len(proof.Unseen) == 0
	})
	return proof
}

// A field becomes personal when there are people already. What is old is read as it was by owner, view and export, what is new is sealed. An erasure takes
// what is old out of states, snapshots and rows, and not out of the journal: who proves it is told so, and what to do.
func TestFieldsMadePersonalLater(t *testing.T) {
	h := newErasureHouse(t)
	dir := t.TempDir()
	before := newGuests[guestBefore](h)
	s := h.start(dir, nil, before.owner(), before.view)
	before.books(t, s, "anna", guestBefore{"Anna", "anna@example.org", 1})
	before.books(t, s, "bert", guestBefore{"Bert", "", 2}) // nothing of his is sealed, so no index of subjects has him
	before.books(t, s, "cleo", guestBefore{"Cleo", "", 3})
	s.end() // writes snapshots

	after := newGuests[guestAfter](h)
	s = h.start(dir, nil, after.owner(), after.view)
	after.want(t, s, "anna", guestAfter{"Anna", "anna@example.org", 1})
	after.want(t, s, "bert", guestAfter{"Bert", "", 2})
	after.books(t, s, "dora", guestAfter{"Dora", "", 4})
	after.books(t, s, "cleo", guestAfter{"Cleo-2", "", 5})
	journal := h.journalOf(after.group, 5)
	for name, lies := range map[string]bool{"Anna": true, "Bert": true, `"Cleo"`: true, "Dora": false, "Cleo-2": false} {
		if got := bytes.Contains(journal, []byte(name)); got != lies {
			t.Errorf("%s lies in clear in the journal: %v, want %v", name, got, lies)
		}
	}
	for id, want := range map[string]string{
		"anna": `{"name":"Anna","email":"anna@example.org","seats":1}` + "\n", "bert": `{"name":"Bert","seats":2}` + "\n",
		"cleo": `{"name":"Cleo","seats":3}` + "\n" + `{"name":"Cleo-2","seats":5}` + "\n",
	} {
		if got := exportedOf(t, s, id); got != want {
			t.Errorf("of %s is exported:\n%swant\n%s", id, got, want)
		}
	}

	for _, id := range []string{"anna", "bert", "dora"} {
		h.erases(s, id)
	}
	gone := func() {
		t.Helper()
		for id, seats := range map[string]int{"anna": 1, "bert": 2, "dora": 4} {
			after.want(t, s, id, guestAfter{Seats: seats})
			proof := verified(t, s, id)
			if id == "dora" {
				if !proof.Proven() || proof.Clear != 0 {
					t.Errorf("of who was sealed from the beginning the proof is %+v", proof)
				}
				continue
			}
			want := fmt.Sprintf("%s[0]: 1 events have data of the subject in clear", h.name)
			if proof.Proven() || proof.Clear != 1 || len(proof.Faults) != 1 || !strings.HasPrefix(proof.Faults[0], want) || !strings.Contains(proof.Faults[0], "trim the journal") {
				t.Errorf("of %s the proof is %+v; want the event in clear to be named", id, proof)
			}
		}
		after.want(t, s, "cleo", guestAfter{"Cleo-2", "", 5})
	}
	gone()
	s.end()
	s = h.start(t.TempDir(), nil, after.owner(), after.view) // from snapshots, and the rows from the events
	eventually(t, "the rows are there", func() bool { return live(s) == 1 })
	gone()
}

// journalOf reads the values of a journal with n events at least, one behind the other.
func (h *erasureHouse) journalOf(g *muster.Group, n int) (all []byte) {
	h.t.Helper()
	records := committedRecords(h.t, h.brokers, g.JournalTopic(""))
	if len(records) < n {
		h.t.Fatalf("%d events are missing in the journal", n-len(records))
	}
	for _, r := range records {
		all = append(all, r.Value...)
	}
	return all
}

// What is in clear in states, snapshots and rows, because an older build that could not see it has carried the erasure out, is named as well.
func TestVerifyErasedNamesWhatLiesInClear(t *testing.T) {
	h := newErasureHouse(t)
	dir := t.TempDir()
	before := newGuests[guestBefore](h)
	s := h.start(dir, nil, before.owner(), before.view)
	before.books(t, s, "anna", guestBefore{"Anna", "", 1})
	before.books(t, s, "bert", guestBefore{"Bert", "", 2})
	h.erases(s, "anna")
	s.end()
	after := newGuests[guestAfter](h)
	s = h.start(dir, nil, after.owner(), after.view)
	proof := verified(t, s, "anna")
	if proof.Proven() || proof.Clear != 4 {
		t.Errorf("the verification gives %+v", proof)
	}
	h.wantFaults(proof, "1 events have data", "1 states have data", "1 snapshots have data", "view "+h.name+"@1, shard 0: 1 rows have data")
	s.end()

	s = h.start(t.TempDir(), nil, after.owner(), after.view) // as the faults say
	eventually(t, "the rows are there", func() bool { return live(s) == 1 })
	eventually(t, "what was read again is redacted", func() bool {
		var err error
		proof, err = s.Privacy().VerifyErased(bounded(t), "anna")
		return err == nil && proof.Clear == 1 && len(proof.Faults) == 1 && strings.Contains(proof.Faults[0], "events")
	})
	after.want(t, s, "anna", guestAfter{Seats: 1})
	after.want(t, s, "bert", guestAfter{"Bert", "", 2})
}

// The events of a group whose commands are handled without a state are exported and proved as those of others.
func TestErasureOfEventsThatNobodyFolds(t *testing.T) {
	h := newErasureHouse(t)
	b := newGuests[guestAfter](h)
	s := h.start(t.TempDir(), nil, muster.HandleCommand(b.book, func(_ context.Context, _ *muster.Command, in guestAfter, w muster.Writer) (guestAfter, error) {
		return in, b.booked.Write(w, in)
	}), b.view)
	b.books(t, s, "anna", guestAfter{"Anna", "", 1})
	if got, want := exportedOf(t, s, "anna"), `{"name":"Anna","seats":1}`+"\n"; got != want {
		t.Errorf("exported: %s, want %s", got, want)
	}
	h.erases(s, "anna")
	eventually(t, "it is proven", func() bool {
		proof, err := s.Privacy().VerifyErased(bounded(t), "anna")
		return err == nil && proof.Proven() && proof.Events == 1
	})
}
