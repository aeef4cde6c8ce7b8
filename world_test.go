package muster_test

import (
	"bytes"
	"context"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// epoch is when every test begins.
var epoch = time.Date(2026, 11, 21, 8, 0, 0, 0, time.UTC)

// world is an owner without Kafka: a processor over a store and a journal in memory.
type world struct {
	t         testing.TB
	behaviour *muster.Behaviour
	config    muster.ProcessorConfig
	p         *muster.Processor
	store     *store
	journal   *journal
	now       time.Time
	slice     int             // commands per slice; 0 takes the whole batch
	parallel  bool            // run the units of a slice at once
	offsets   map[int32]int64 // of the command topic, per partition
	taken     map[int32]bool
}

func newWorld(t testing.TB, behaviour *muster.Behaviour) *world {
	t.Helper()
	if err := behaviour.Validate(); err != nil {
		t.Fatalf("the behaviour under test is invalid: %v", err)
	}
	w := &world{
		t: t, behaviour: behaviour, store: newStore(), journal: newJournal(), now: epoch,
		offsets: map[int32]int64{}, config: muster.ProcessorConfig{Codec: muster.PlainCodec{}},
	}
	w.restart()
	return w
}

// restart begins a new process over the same store: what was in memory is gone.
func (w *world) restart() {
	w.config.States = w.store
	w.p, w.taken = muster.NewProcessor(w.behaviour, w.config), map[int32]bool{}
}

// rebuild begins a new process that has lost its store and reads the journal again, in stretches of n events.
func (w *world) rebuild(n int) {
	w.t.Helper()
	w.store = newStore()
	w.restart()
	for _, partition := range slices.Sorted(maps.Keys(w.journal.events)) {
		w.takeUnread(partition)
		for stretch := range slices.Chunk(w.journal.events[partition], n) {
			changes, err := w.p.Replay(partition, slices.Clone(stretch), stretch[len(stretch)-1].Offset+1)
			if err != nil {
				w.t.Fatalf("replay: %v", err)
			}
			w.keep([]muster.Changes{changes})
		}
		changes, err := w.p.Replay(partition, nil, w.journal.end[partition])
		if err != nil {
			w.t.Fatalf("replay of the tail: %v", err)
		}
		w.keep([]muster.Changes{changes})
	}
}

// take recovers a partition as an owner does: it reads the journal from where the store ends to the high watermark.
func (w *world) take(partition int32) {
	w.t.Helper()
	if w.taken[partition] {
		return
	}
	w.takeUnread(partition)
	unread := slices.DeleteFunc(slices.Clone(w.journal.events[partition]), func(e muster.Event) bool { return e.Offset < w.store.end(partition) })
	changes, err := w.p.Replay(partition, unread, w.journal.end[partition])
	if err != nil {
		w.t.Fatalf("recover partition %d: %v", partition, err)
	}
	w.keep([]muster.Changes{changes})
}

// takeUnread takes a partition and leaves the reading of its journal to the test.
func (w *world) takeUnread(partition int32) {
	w.taken[partition] = true
	w.p.Take(partition, w.store.end(partition))
}

func (w *world) keep(changes []muster.Changes) {
	w.t.Helper()
	if err := w.store.Store(w.t.Context(), changes); err != nil {
		w.t.Fatalf("changes that break their promise: %v", err)
	}
}

// effects is what one batch led to.
type effects struct {
	decision *muster.Decision
	changes  []muster.Changes
	replies  []muster.Reply
	gaps     []int32
}

// outcome gives the reply to the n-th command that has the given id.
func (f *effects) outcome(t testing.TB, id string, n int) *muster.Outcome {
	t.Helper()
	for i := range f.replies {
		if f.replies[i].CommandID == id {
			if n--; n < 0 {
				return f.replies[i].Outcome
			}
		}
	}
	t.Fatalf("no answer to command %q in %d replies", id, len(f.replies))
	return nil
}

// batch places the commands in the log.
func (w *world) batch(commands ...muster.Command) *muster.Batch {
	for i := range commands {
		cmd := &commands[i]
		w.take(cmd.Partition)
		cmd.Topic, cmd.Offset = cmd.Group+".commands", w.offsets[cmd.Partition]
		w.offsets[cmd.Partition]++
	}
	return &muster.Batch{Commands: commands, Now: w.now, Attempt: 1}
}

// decide runs a round up to its decision.
func (w *world) decide(batch *muster.Batch, culprits map[string]*muster.RecordFault) (*muster.Round, *muster.Decision) {
	w.t.Helper()
	round, err := w.p.Begin(batch, culprits)
	if err != nil {
		w.t.Fatalf("begin: %v", err)
	}
	size := w.slice
	if size == 0 {
		size = len(batch.Commands)
	}
	for units := round.Slice(size); len(units) > 0; units = round.Slice(size) {
		w.run(units)
	}
	if err := round.Err(); err != nil {
		w.t.Fatalf("round: %v", err)
	}
	if round.Taken() != len(batch.Commands) {
		w.t.Fatalf("%d of %d commands taken", round.Taken(), len(batch.Commands))
	}
	return round, round.Decision()
}

func (w *world) run(units []*muster.Unit) {
	if !w.parallel {
		for _, u := range units {
			u.Run(w.t.Context())
		}
		return
	}
	var all sync.WaitGroup
	for _, u := range units {
		all.Go(func() { u.Run(w.t.Context()) })
	}
	all.Wait()
}

// commit does what a sink and a store do with a decision.
func (w *world) commit(round *muster.Round, decision *muster.Decision) *effects {
	w.t.Helper()
	w.journal.append(decision.Events)
	w.journal.markers(decision.Events)
	f := &effects{decision: decision}
	f.changes, f.replies, f.gaps = round.Settle()
	w.keep(f.changes)
	return f
}

// do takes a batch all the way.
func (w *world) do(commands ...muster.Command) *effects {
	w.t.Helper()
	round, decision := w.decide(w.batch(commands...), nil)
	return w.commit(round, decision)
}

// state gives the stored state of an aggregate in partition 0, decoded.
func (w *world) state(id string) (account, uint64) {
	w.t.Helper()
	stored, err := w.store.Load(0, id)
	if err != nil {
		w.t.Fatal(err)
	}
	var a account
	if stored.Revision > 0 {
		if err := (muster.PlainCodec{}).Decode(muster.Place{}, stored.Data, &a); err != nil {
			w.t.Fatal(err)
		}
	}
	return a, stored.Revision
}

// command makes a command as it arrives, with an answer wanted.
func command(name, aggregate, id string, in order) muster.Command {
	payload, contentType, err := muster.PlainCodec{}.Encode(nil, muster.Place{Type: name}, in)
	if err != nil {
		panic(err)
	}
	return muster.Command{
		Meta: muster.Meta{
			ID: id, Type: name, Group: "accounts", AggregateID: aggregate, Time: epoch, ContentType: contentType, CorrelationID: id,
		},
		Payload: payload, ReplyTo: muster.ReplyTo{Topic: "replies.web", Partition: 2},
	}
}

func opened(w *world, ids ...string) {
	w.t.Helper()
	for _, id := range ids {
		if o := w.do(command("open", id, "open-"+id, order{})).outcome(w.t, "open-"+id, 0); o.Code != muster.OK {
			w.t.Fatalf("open %s: %s %s", id, o.Code, o.Message)
		}
	}
}

// decoded reads the result in an outcome.
func decoded(t testing.TB, o *muster.Outcome) account {
	t.Helper()
	var a account
	if o.Code != muster.OK {
		t.Fatalf("%s: %s", o.Code, o.Message)
	}
	if err := (muster.PlainCodec{}).Decode(muster.Place{ContentType: o.ContentType}, o.Payload, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// within runs fn on a goroutine of its own and fails the test when it does not end: a hang must not look like a slow test.
func within(t *testing.T, what string, fn func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	select {
	case <-done:
	case <-ctx.Done():
		t.Fatalf("%s: does not end", what)
	}
}

// sameEvents tells whether two decisions write the same bytes, places in the log apart.
func sameEvents(a, b []muster.Event) bool {
	return slices.EqualFunc(a, b, func(x, y muster.Event) bool {
		return x.ID == y.ID && x.Type == y.Type && x.AggregateID == y.AggregateID && x.Revision == y.Revision && x.Partition == y.Partition &&
			x.Index == y.Index && x.Count == y.Count && x.Fingerprint == y.Fingerprint && x.CausationID == y.CausationID &&
			bytes.Equal(x.Payload, y.Payload) && bytes.Equal(x.Answer, y.Answer) && x.Time.Equal(y.Time)
	})
}
