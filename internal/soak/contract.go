//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/projector"
)

// entry is the command of the ledgers. Events is how many events it makes; 0 has it refused, below that it becomes a dead letter.
type entry struct {
	Command string // its own id
	Events  int
	Padding string `json:",omitempty"`
}

// noted is their event. It says whose it is, so that a mix-up shows in the bytes.
type noted struct {
	Aggregate, Command string
	Ordinal            int
	Padding            string `json:",omitempty"`
}

// ledger is a state, and a row of the view. The digest is over all events in their order: two folds agree only if they saw the same.
type ledger struct {
	Events int
	Last   string // id of the last command
	Digest string
}

// question is the query for a ledger.
type question struct{}

func (l ledger) after(e noted) ledger {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %s %d %d", l.Digest, e.Aggregate, e.Command, e.Ordinal, len(e.Padding))
	return ledger{Events: l.Events + 1, Last: e.Command, Digest: fmt.Sprintf("%016x", h.Sum64())}
}

// ledgers is the contract; supervisor and instances declare it under the same name.
type ledgers struct {
	group *muster.Group
	add   *muster.CommandType[entry, ledger]
	read  *muster.QueryType[question, ledger]
	noted *muster.EventType[noted]
}

func newLedgers(group string, partitions int) *ledgers {
	g := muster.NewGroup(group, muster.Partitions(partitions))
	return &ledgers{
		group: g,
		add:   muster.NewCommand[entry, ledger](g, "ledger.Add"),
		read:  muster.NewQuery[question, ledger](g, "ledger.Read"),
		noted: muster.NewEvent[noted](g, "ledger.Noted"),
	}
}

func (l *ledgers) owner() *muster.Aggregate[*ledger] {
	a := muster.NewAggregate(l.group, func() *ledger { return &ledger{} })
	muster.Decide(a, l.add, func(_ context.Context, r *muster.Root[*ledger], in entry) (ledger, error) {
		switch {
		case in.Command != r.Meta().ID:
			return ledger{}, muster.Errorf(muster.DataLoss, "command %s has the payload of %s", r.Meta().ID, in.Command)
		case in.Events == 0:
			return ledger{}, muster.Errorf(muster.FailedPrecondition, "nothing to add")
		case in.Events < 0:
			return ledger{}, muster.Drop("the workload asked for it")
		}
		for i := range in.Events {
			l.noted.Emit(r, noted{Aggregate: r.ID(), Command: in.Command, Ordinal: i, Padding: in.Padding})
		}
		return *r.State(), nil
	})
	muster.Evolve(a, l.noted, func(s *ledger, e noted) *ledger { *s = s.after(e); return s })
	muster.Answer(a, l.read, func(_ context.Context, s muster.State[*ledger], _ question) (ledger, error) { return *s.Value(), nil })
	return a
}

// viewName is the view every instance keeps.
const viewName = "copies"

// view has a row for each aggregate, made like its state.
func (l *ledgers) view() *projector.View[ledger] {
	v := projector.NewView[ledger](viewName, projector.RouteBy(projector.ByKey))
	projector.On(v, l.noted, func(_ context.Context, rows *projector.Rows[ledger], e noted, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(r ledger) ledger { return r.after(e) })
	})
	return v
}

// partitioned gives the partition of an aggregate, as Kafka's own partitioner does.
func (l *ledgers) partitioned() func(aggregate string) int32 {
	kafkas := kgo.StickyKeyPartitioner(nil).ForTopic("")
	return func(aggregate string) int32 {
		return int32(kafkas.Partition(&kgo.Record{Key: []byte(aggregate)}, int(l.group.Partitions())))
	}
}

// contract is what the checks need to know.
func (l *ledgers) contract() history.Contract {
	decode := func(e *muster.Event) (noted, error) { return l.noted.Decode(muster.PlainCodec{}, e) }
	return history.Contract{
		Partitioned: l.partitioned(),
		Mark: func(payload []byte) (history.Mark, error) {
			var e noted
			err := json.Unmarshal(payload, &e)
			return history.Mark{Aggregate: e.Aggregate, Command: e.Command, Ordinal: e.Ordinal}, err
		},
		Fold: func(events []muster.Event) ([]byte, error) {
			var s ledger
			for i := range events {
				e, err := decode(&events[i])
				if err != nil {
					return nil, err
				}
				s = s.after(e)
			}
			return json.Marshal(s)
		},
		Show: func(state []byte) (string, error) {
			if state == nil {
				return text(ledger{}), nil
			}
			return string(state), nil
		},
		Rows: map[string]func([]muster.Event) (map[string]string, error){viewName: func(events []muster.Event) (map[string]string, error) {
			rows := map[string]ledger{}
			for i := range events {
				e, err := decode(&events[i])
				if err != nil {
					return nil, err
				}
				rows[events[i].AggregateID] = rows[events[i].AggregateID].after(e)
			}
			shown := map[string]string{}
			for _, id := range slices.Sorted(maps.Keys(rows)) {
				shown[id] = text(rows[id])
			}
			return shown, nil
		}},
	}
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
