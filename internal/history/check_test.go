package history_test

import (
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// world is a run without fault: two commands on one aggregate, the second sent after the answer to the first, then a repeat, a refusal, and
// a call without answer.
func world() ([]history.Call, *history.Journal) {
	j := &history.Journal{Events: [][]muster.Event{{
		event("a", "c1", 1, 0, 2), event("a", "c1", 2, 1, 2), event("b", "c9", 1, 0, 1), event("a", "c2", 3, 0, 1), event("a", "c5", 4, 0, 1),
	}}}
	for i := range j.Events[0] {
		j.Events[0][i].Offset = int64(10 + i)
	}
	return []history.Call{
		call("a", "c1", 1, 2, 2, 11),
		call("a", "c2", 3, 4, 3, 13),
		call("a", "c1", 5, 6, 2, 11),
		{ID: "c3", Aggregate: "a", Sent: at(5), Answered: at(6), Refused: true},
		{ID: "c4", Aggregate: "a", Sent: at(5)},
	}, j
}

func event(aggregate, command string, revision uint64, index, count int) muster.Event {
	return muster.Event{Meta: muster.Meta{AggregateID: aggregate, CausationID: command, Revision: revision, Topic: "t"}, Index: index, Count: count}
}

func call(aggregate, id string, sent, answered int, revision uint64, offset int64) history.Call {
	return history.Call{
		ID: id, Aggregate: aggregate, Sent: at(sent), Answered: at(answered), Revision: revision,
		Position: muster.Position{Topic: "t", Offset: offset}, Answer: "of " + id,
	}
}

func at(second int) time.Time { return time.Unix(int64(second), 0) }

func TestSoundHistory(t *testing.T) {
	calls, j := world()
	if err := history.Check(calls, j); err != nil {
		t.Errorf("no fault was planted, found: %v", err)
	}
}

// Every check finds what it is there for.
func TestViolationsAreFound(t *testing.T) {
	for _, c := range []struct {
		name, want string
		plant      func(calls []history.Call, events []muster.Event) []muster.Event
	}{
		{"acknowledged and lost", "I1: command c2", func(_ []history.Call, e []muster.Event) []muster.Event { return append(e[:3:3], e[4:]...) }},
		{"acknowledged elsewhere", "I1: command c2", func(c []history.Call, e []muster.Event) []muster.Event {
			c[1].Position.Offset = 14
			return e
		}},
		{"never acknowledged, half written", "I2: command c5", func(_ []history.Call, e []muster.Event) []muster.Event {
			e[4].Count = 2
			return e
		}},
		{"twice", "I2: command c5", func(_ []history.Call, e []muster.Event) []muster.Event { return append(e, event("a", "c5", 5, 0, 1)) }},
		{"other order", "I2: command c1", func(_ []history.Call, e []muster.Event) []muster.Event {
			e[0].Index, e[1].Index = 1, 0
			return e
		}},
		{"gap", "I3: aggregate a", func(_ []history.Call, e []muster.Event) []muster.Event {
			e[4].Revision = 6
			return e
		}},
		{"answers out of order", "I4: aggregate a", func(c []history.Call, e []muster.Event) []muster.Event {
			c[0].Sent, c[0].Answered = at(7), at(8)
			c[2].Sent, c[2].Answered = at(8), at(9)
			return e
		}},
		{"another answer to the repeat", "I4: command c1 was answered", func(c []history.Call, e []muster.Event) []muster.Event {
			c[2].Answer = "another"
			return e
		}},
		{"refusal after success", "I4: command c2 was answered", func(c []history.Call, e []muster.Event) []muster.Event {
			c[3].ID = "c2"
			return e
		}},
		{"refused with effect", "I9: command c5", func(c []history.Call, e []muster.Event) []muster.Event {
			c[3].ID = "c5"
			return e
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			calls, j := world()
			j.Events[0] = c.plant(calls, j.Events[0])
			if err := history.Check(calls, j); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("found %v, want a violation with %q", err, c.want)
			}
		})
	}
}

// Violations are counted by invariant, also those that are not spelt out.
func TestViolationsAreCounted(t *testing.T) {
	calls, j := world()
	for i := range 50 {
		j.Events[0] = append(j.Events[0], event("a", "c5", uint64(5+i), 0, 1)) // the same command once more
	}
	j.Events[0] = append(j.Events[0], event("b", "c8", 3, 0, 1), event("b", "c7", 5, 0, 1))
	violations, err := (&history.Record{Calls: calls, Journal: j}).Count(history.Contract{})
	if err == nil || len(violations) != 2 || violations["I2"] != 1 || violations["I3"] != 2 {
		t.Errorf("%v, %v", violations, err)
	}
}
