package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
)

// The contract of the tests that record history. Every event and answer carries whose it is, so that a mix-up shows in the bytes; the state
// is a digest over all events in their order, so that two folds agree only if they saw the same.
type (
	appendix struct {
		Command string // its own id
		Events  int    // how many to emit; 0 makes it a refusal, and below that see later and drop
	}
	appended struct {
		Aggregate, Command string
		Ordinal            int
	}
	ledger struct {
		Events int
		Last   string // id of the last command
		Digest string
	}
)

func (l ledger) after(e appended) ledger {
	h := fnv.New64a()
	fmt.Fprintf(h, "%s %s %s %d", l.Digest, e.Aggregate, e.Command, e.Ordinal)
	return ledger{Events: l.Events + 1, Last: e.Command, Digest: fmt.Sprintf("%016x", h.Sum64())}
}

// ledgers is the contract of one group.
type ledgers struct {
	group    *muster.Group
	add      *muster.CommandType[appendix, ledger]
	read     *muster.QueryType[ask, ledger]
	appended *muster.EventType[appended]
	closed   bool // whoever asks later has to wait
}

// What Events may be beside a number of events.
const (
	later = -1 // one event, or another try in an hour while the ledgers are closed
	drop  = -2 // given up
)

// ledgersIn declares the contract under a name; parent and child process call it with the same.
func ledgersIn(group string, partitions int) *ledgers {
	g := muster.NewGroup(group, muster.Partitions(partitions))
	return &ledgers{
		group:    g,
		add:      muster.NewCommand[appendix, ledger](g, "ledger.Append"),
		read:     muster.NewQuery[ask, ledger](g, "ledger.Read"),
		appended: muster.NewEvent[appended](g, "ledger.Appended"),
	}
}

func (l *ledgers) owner() *muster.Aggregate[*ledger] {
	a := muster.NewAggregate(l.group, func() *ledger { return &ledger{} })
	muster.Decide(a, l.add, func(_ context.Context, r *muster.Root[*ledger], in appendix) (ledger, error) {
		if in.Command != r.Meta().ID {
			return ledger{}, muster.Errorf(muster.DataLoss, "command %s has the payload of %s", r.Meta().ID, in.Command)
		}
		if in.Events == 0 {
			return ledger{}, muster.Errorf(muster.FailedPrecondition, "nothing to append")
		}
		switch {
		case in.Events == drop:
			return ledger{}, muster.Drop("it says so")
		case in.Events == later && l.closed:
			return ledger{}, muster.RetryLater(errClosed, muster.RetryAfter(time.Hour), muster.RetryWithin(2*time.Hour))
		}
		for i := range max(in.Events, 1) {
			l.appended.Emit(r, appended{Aggregate: r.ID(), Command: in.Command, Ordinal: i})
		}
		return *r.State(), nil
	})
	muster.Evolve(a, l.appended, func(s *ledger, e appended) *ledger { *s = s.after(e); return s })
	muster.Answer(a, l.read, func(_ context.Context, s muster.State[*ledger], _ ask) (ledger, error) { return *s.Value(), nil })
	return a
}

var errClosed = errors.New("closed")

// fold gives the state of every aggregate after the events of one partition with offsets below limit. An event with the marks of
// another command or aggregate is an error.
func (l *ledgers) fold(t *testing.T, events []muster.Event, limit int64) map[string]ledger {
	t.Helper()
	states := map[string]ledger{}
	for i := range events {
		e := &events[i]
		if e.Offset >= limit {
			break
		}
		payload, err := l.appended.Decode(muster.PlainCodec{}, e)
		if err != nil {
			t.Fatalf("event at %d: %v", e.Offset, err)
		}
		if payload.Aggregate != e.AggregateID || payload.Command != e.CausationID || payload.Ordinal != e.Index {
			t.Errorf("I8: event %d of command %s on %s carries %+v", e.Index, e.CausationID, e.AggregateID, payload)
		}
		states[e.AggregateID] = states[e.AggregateID].after(payload)
	}
	return states
}

// dump reads the journal at rest.
func (l *ledgers) dump(t *testing.T, brokers []string) *history.Journal {
	t.Helper()
	ctx, cancel := contextFor(t)
	defer cancel()
	j, err := history.Read(ctx, connection(brokers), l.group)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
