package sim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
)

// The messages of the system under test. An event says whose it is; a state is a chain over all that was folded, so that two folds are equal
// only if they saw the same events in the same order. What is written of people is sealed in the runs that seal: the body belongs to the subject that
// has the aggregate's id, the word to a witness. Trace is derived from both and lies in clear, as such values do.
type (
	note struct {
		Events int    // how many to write
		Body   string `muster:"personal"` // of each
		said
		Refuse bool
		Panic  bool
	}
	said struct {
		Witness string `muster:"subject_id"`
		Word    string `muster:"personal,subject=Witness"`
	}
	noted struct {
		Mark history.Mark
		Body string `muster:"personal"`
		said
	}
	look  struct{}
	tally struct {
		Count int
		Chain uint64 // over what is in clear
		Trace uint64 // over all that could be read
		Body  string `muster:"personal"` // of the last event, as its word
		said
	}
	receipt struct {
		Mark history.Mark
		tally
	}
	seen struct {
		Revision uint64
		tally
	}
	row struct {
		Count int64
		Chain uint64
		Body  string `muster:"personal"`
		First string `muster:"personal"` // body, which no later event replaces: only an erasure does
		said
	}
)

const tenant = "tenant-1"

// ledger is the contract of the group under test, its owner's behaviour, and its view.
type ledger struct {
	group *muster.Group
	note  *muster.CommandType[note, receipt]
	look  *muster.QueryType[look, seen]
	noted *muster.EventType[noted]
	owner *muster.Aggregate[*tally]
	view  *projector.View[row]
}

// viewName is what the view of a ledger is called, with its version.
const viewName = "tallies@1"

func newLedger(partitions int) *ledger {
	g := muster.NewGroup("ledger", muster.Partitions(partitions))
	l := &ledger{
		group: g, note: muster.NewCommand[note, receipt](g, "sim.Note"), look: muster.NewQuery[look, seen](g, "sim.Look"),
		noted: muster.NewEvent[noted](g, "sim.Noted"), owner: muster.NewAggregate(g, func() *tally { return &tally{} }),
		view: projector.NewView[row]("tallies"),
	}
	muster.Decide(l.owner, l.note, func(_ context.Context, r *muster.Root[*tally], in note) (receipt, error) {
		mark := history.Mark{Tenant: tenant, Aggregate: r.ID(), Command: r.Meta().ID}
		for n := range in.Events {
			mark.Ordinal = n
			l.noted.Emit(r, noted{mark, in.Body, in.said})
		}
		switch {
		case in.Refuse: // what was emitted goes with it
			return receipt{}, muster.Errorf(muster.FailedPrecondition, "refused as it was asked to be")
		case in.Panic:
			panic("a defect of the handler, as it was asked for") //nolint:forbidigo // what becomes of such a command is tried, too
		}
		return receipt{mark, *r.State()}, nil
	})
	muster.Evolve(l.owner, l.noted, func(t *tally, e noted) *tally { return t.with(e) })
	muster.Answer(l.owner, l.look, func(_ context.Context, s muster.State[*tally], _ look) (seen, error) {
		return seen{s.Revision(), *s.Value()}, nil
	})
	projector.On(l.view, l.noted, func(_ context.Context, rows *projector.Rows[row], e noted, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(r row) row { return r.with(e) })
	})
	return l
}

func (t *tally) with(e noted) *tally {
	t.Count, t.Chain, t.Trace = t.Count+1, chained(t.Chain, e.Mark, e.Witness), chained(t.Trace, e)
	t.Body, t.said = e.Body, e.said
	return t
}

func (r row) with(e noted) row {
	return row{r.Count + 1, chained(r.Chain, e.Mark, e.Witness), e.Body, cmp.Or(r.First, e.Body), e.said}
}

func chained(chain uint64, links ...any) uint64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %+v", chain, links)
	return h.Sum64()
}

// clear gives what no erasure changes.
func (t tally) clear() string {
	return fmt.Sprintf("%d events, chain %x, witness %q", t.Count, t.Chain, t.Witness)
}

func (t tally) String() string {
	return fmt.Sprintf("%s, trace %x, body %.40q, word %.40q", t.clear(), t.Trace, t.Body, t.Word)
}

// contract says what payloads mean, for the checks.
func (l *ledger) contract() history.Contract {
	return history.Contract{
		Tenant:      tenant,
		Partitioned: func(aggregate string) int32 { return kafka.Partition(aggregate, l.group.Partitions()) },
		Mark: func(payload []byte) (history.Mark, error) {
			var e noted
			err := json.Unmarshal(payload, &e)
			return e.Mark, err
		},
		Fold: func(events []muster.Event) ([]byte, error) {
			t, err := l.fold(events)
			if err != nil {
				return nil, err
			}
			return json.Marshal(t)
		},
		Show: func(state []byte) (string, error) {
			var t tally
			if state == nil {
				return t.String(), nil
			}
			err := json.Unmarshal(state, &t)
			return t.String(), err
		},
		Rows: map[string]func([]muster.Event) (map[string]string, error){viewName: l.rows},
	}
}

func (l *ledger) fold(events []muster.Event) (*tally, error) {
	t := &tally{}
	for i := range events {
		e, err := l.noted.Decode(muster.PlainCodec{}, &events[i])
		if err != nil {
			return nil, err
		}
		t = t.with(e)
	}
	return t, nil
}

// rows folds a journal into what the view has, as text.
func (l *ledger) rows(events []muster.Event) (map[string]string, error) {
	rows := map[string]row{}
	for i := range events {
		e, err := l.noted.Decode(muster.PlainCodec{}, &events[i])
		if err != nil {
			return nil, err
		}
		rows[events[i].AggregateID] = rows[events[i].AggregateID].with(e)
	}
	texts := make(map[string]string, len(rows))
	for id, r := range rows {
		texts[id] = fmt.Sprintf("%+v", r)
	}
	return texts, nil
}
