package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// whole is the record of a run without fault that has every dump. The state of an aggregate is the ids of its commands, one for each event;
// so is the row of the only view.
func whole() *history.Record {
	calls, j := world()
	for i := range calls {
		c := &calls[i]
		c.Caller = "caller-" + c.ID
		if c.Answered.IsZero() {
			c.GivenUp = at(9)
		}
		if c.Answer != "" {
			c.Mark = history.Mark{Tenant: "t1", Aggregate: c.Aggregate, Command: c.ID}
		}
	}
	for i := range j.Events[0] {
		e := &j.Events[0][i]
		e.ID = fmt.Sprint(e.CausationID, "/", e.Index)
		e.Payload, _ = json.Marshal(history.Mark{Tenant: "t1", Aggregate: e.AggregateID, Command: e.CausationID, Ordinal: e.Index})
	}
	cleaned := &history.Journal{Events: [][]muster.Event{j.Events[0][1:]}}
	return &history.Record{
		Calls: calls, Journal: j, Cleaned: cleaned, Removed: map[string]uint64{"a": 1},
		Queries: []history.Query{
			{Caller: "q", Aggregate: "a", ID: "q1", Asked: at(0), Answered: at(2), Revision: 2, Answer: "c1 c1"},
			{Caller: "q", Aggregate: "b", ID: "q2", Asked: at(3), Answered: at(4), Revision: 1, Answer: "c9"},
			{Caller: "q", Aggregate: "none", ID: "q3", Asked: at(3), Answered: at(4)},
			{Caller: "q", Aggregate: "a", ID: "q4", Asked: at(3)},
		},
		Commands: map[string][]muster.Position{
			"c3": {{Topic: "c", Offset: 2}, {Topic: "c", Offset: 7}}, "q1": {{Topic: "c", Offset: 0}}, "q2": {{Topic: "c", Offset: 3}}, "q3": {{Topic: "c", Offset: 4}},
		},
		Consumed: []muster.Progress{{Partition: 0, Next: 6, Waiting: []int64{5}}},
		Stored: []history.Stored{{Owner: "o", Partition: 0, Next: 13, States: []muster.StoredState{
			{AggregateID: "a", Revision: 2, Offset: 11, Data: []byte("c1 c1")},
			{AggregateID: "b", Revision: 1, Offset: 12, Data: []byte("c9")},
		}}},
		Views:    []history.View{{Name: "v", Instance: "i", Checkpoint: []int64{15}, Rows: map[string]string{"a": "c1 c1 c2 c5", "b": "c9"}}},
		Letters:  []muster.DeadLetter{{Command: muster.Command{Meta: muster.Meta{ID: "c3"}}}},
		End:      &history.End{FaultsEnded: at(8), Within: 2 * time.Second, Lag: map[string]int64{"g": 0}},
		Secrets:  []string{"hidden", "canary"},
		Places:   []history.Place{text("a log", strings.Repeat("nothing to be seen; ", 10_000)), text("another", "")},
		Erasures: []history.Erasure{{Subject: "s1", Told: at(5), Within: 2 * time.Second}},
		Probes: []history.Probe{
			{Subject: "s1", Where: "event 1", At: at(1), Opened: true, Content: "x"},
			{Subject: "s1", Where: "event 1", At: at(6), Opened: true, Content: "x"},
			{Subject: "s1", Where: "event 1", At: at(7)},
			{Subject: "s2", Where: "event 2", At: at(1), Opened: true, Content: "y"},
			{Subject: "s2", Where: "event 2", At: at(8), Opened: true, Content: "y"},
		},
	}
}

func contract() history.Contract {
	return history.Contract{
		Tenant:      "t1",
		Partitioned: func(string) int32 { return 0 },
		Mark: func(payload []byte) (m history.Mark, err error) {
			err = json.Unmarshal(payload, &m)
			return m, err
		},
		Fold: func(events []muster.Event) ([]byte, error) {
			var ids []string
			for i := range events {
				ids = append(ids, events[i].CausationID)
			}
			return []byte(strings.Join(ids, " ")), nil
		},
		Show: func(state []byte) (string, error) { return string(state), nil },
		Rows: map[string]func([]muster.Event) (map[string]string, error){"v": func(events []muster.Event) (map[string]string, error) {
			rows := map[string]string{}
			for i := range events {
				e := &events[i]
				rows[e.AggregateID] = strings.TrimSpace(rows[e.AggregateID] + " " + e.CausationID)
			}
			return rows, nil
		}},
	}
}

func text(name, content string) history.Place {
	return history.Place{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(content)), nil }}
}

var errPlanted = errors.New("planted")
