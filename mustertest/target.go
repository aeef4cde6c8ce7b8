package mustertest

import (
	"errors"
	"maps"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// TargetFixture is a [projector.Target] under test, with eyes on what it makes durable and hands on what stands in its way. Everything is empty
// at the start.
type TargetFixture struct {
	Target projector.Target
	// Put writes a row as a user's function would, with what [projector.Batch.Tx] gave.
	Put func(tx any, shard projector.Shard, key, value string) error
	// Rows gives what an independent reader sees of a shard: rows by key, the last value of each.
	Rows func(shard projector.Shard) map[string]string

	// Beside gives the target of another instance, which shares what is stored. Nil where the target belongs to one process: then claims of
	// instances do not fence each other.
	Beside func() projector.Target
	// Crash ends the target as kill -9 would, and gives a new one over what is stored. Nil where nothing outlives the process.
	Crash func() projector.Target
	// Break makes the next commit fail before anything of it is durable. Nil where that cannot be arranged.
	Break func()
	// Doubt makes the next commit fail after all of it is durable. Nil where that cannot be arranged.
	Doubt func()
	// DropKeepsRows says that Drop removes checkpoints and letters, but not what the user's functions wrote.
	DropKeepsRows bool
}

// Target holds an implementation of [projector.Target] against the port's promises. Every implementation's tests call it; open is called once for
// each subtest and registers its own cleanup.
func Target(t *testing.T, open func(t *testing.T) TargetFixture) {
	t.Helper()
	run := func(name string, test func(s *targetSuite)) {
		t.Run(name, func(t *testing.T) { test(&targetSuite{T: t, TargetFixture: open(t)}) })
	}
	run("an empty target has nothing", (*targetSuite).empty)
	run("rows, checkpoint, letters and acts are durable together", (*targetSuite).together)
	run("what is rolled back leaves nothing", (*targetSuite).rolledBack)
	run("checkpoints come back as they were stored", (*targetSuite).checkpoints)
	run("letters come back as they were stored", (*targetSuite).letters)
	run("letters keep their order", (*targetSuite).letterOrder)
	run("letters are removed and changed", (*targetSuite).letterChanges)
	run("acts stay where a change does not name them", (*targetSuite).acts)
	run("shards and generations are apart", (*targetSuite).apart)
	run("a change without rows is a commit", (*targetSuite).changeOnly)
	run("a big batch is one batch", (*targetSuite).big)
	run("what a commit was given is not kept", (*targetSuite).notKept)
	run("a released shard can be claimed again", (*targetSuite).again)
	run("a release ends an open batch", (*targetSuite).releaseOpen)
	run("a claim fences the holder before", (*targetSuite).fenced)
	run("a claim beside fences the holder before", (*targetSuite).fencedBeside)
	run("a crash loses what was not committed, and nothing else", (*targetSuite).crash)
	run("a commit that fails leaves nothing", (*targetSuite).broken)
	run("after an unknown outcome a claim tells", (*targetSuite).doubt)
	run("drop removes a shard and no other", (*targetSuite).drop)
}

type targetSuite struct {
	*testing.T
	TargetFixture
}

// suiteShard is a shard of two sources.
func suiteShard(number int32, generation int) projector.Shard {
	return projector.Shard{
		Projection: "totals@1", Name: "totals", Version: 1, Generation: generation, Number: number,
		Sources: []projector.Source{{Topic: "accounts.events", Partition: number}, {Topic: "orders.events", Partition: number}},
	}
}

func suiteCheckpoint(source projector.Source, next int64) projector.Checkpoint {
	return projector.Checkpoint{
		Source: source, TopicID: [16]byte{7, 15: 9}, Next: next, LastEvent: "command/0", LastAt: next - 1,
		Time: time.Date(2026, 3, 1, 12, 0, 0, 123_456_000, time.UTC),
	}
}

func suiteLetter(id string, kind projector.Kind, key string) projector.Letter {
	l := projector.Letter{
		ID: id, Kind: kind, Key: key, Reason: projector.ReasonHandler, Cause: "no such account: \"größe\"", Attempts: 5,
		At: time.Date(2026, 3, 1, 12, 0, 1, 500_000_000, time.UTC),
		Event: muster.Event{
			Meta: muster.Meta{
				ID: "command/1", Type: "bank.Credited", Group: "accounts", AggregateID: "acc-☃", Revision: 1<<63 + 3,
				Time: time.Date(2026, 3, 1, 11, 0, 0, 123_456_000, time.UTC), CorrelationID: "corr", CausationID: "command", ContentType: muster.ContentProtobuf,
				DataSchema: "schema", TraceParent: "00-11111111111111111111111111111111-2222222222222222-01", TraceState: "a=b",
				Headers: muster.Headers{{Key: "tenant", Value: []byte{0, 255}}, {Key: "tenant", Value: []byte("two")}},
				Topic:   "accounts.events", Partition: 3, Offset: 41,
			},
			Payload: []byte{0, 1, 255}, Index: 1, Count: 3,
		},
	}
	if kind == projector.Waiting {
		l.Reason, l.Cause, l.Attempts = "", "", 0
	}
	return l
}

func (s *targetSuite) claim(target projector.Target, shard projector.Shard) projector.Holding {
	s.Helper()
	h, err := target.Claim(s.Context(), shard)
	if err != nil {
		s.Fatalf("Claim of %v: %v", shard, err)
	}
	return h
}

func (s *targetSuite) stored(h projector.Holding) projector.Stored {
	s.Helper()
	stored, err := h.Stored(s.Context())
	if err != nil {
		s.Fatalf("Stored: %v", err)
	}
	return stored
}

// begin opens a batch and writes rows as functions would.
func (s *targetSuite) begin(h projector.Holding, shard projector.Shard, rows map[string]string) projector.Batch {
	s.Helper()
	batch, err := h.Begin(s.Context())
	if err != nil {
		s.Fatalf("Begin: %v", err)
	}
	for key, value := range rows {
		batch.Before(&projector.Running{Shard: shard, Key: "accounts/" + key, ID: "totals@1/accounts/" + key})
		if err := s.Put(batch.Tx(), shard, key, value); err != nil {
			s.Fatalf("writing row %s: %v", key, err)
		}
	}
	return batch
}

func (s *targetSuite) commit(h projector.Holding, shard projector.Shard, rows map[string]string, change projector.Change) {
	s.Helper()
	if err := s.begin(h, shard, rows).Commit(s.Context(), change); err != nil {
		s.Fatalf("Commit: %v", err)
	}
}

// refused fails the test unless a commit is refused because somebody else has the shard.
func (s *targetSuite) refused(batch projector.Batch, change projector.Change) {
	s.Helper()
	if err := batch.Commit(s.Context(), change); !errors.Is(err, projector.ErrFenced) {
		s.Fatalf("Commit by a holder that was fenced gives %v, want ErrFenced", err)
	}
}

// rows fails the test unless a reader sees these and no others.
func (s *targetSuite) rows(shard projector.Shard, want map[string]string) {
	s.Helper()
	if got := s.Rows(shard); !maps.Equal(got, want) {
		if len(got)+len(want) > 20 {
			s.Fatalf("%v generation %d: a reader sees %d rows that are not the %d wanted", shard, shard.Generation, len(got), len(want))
		}
		s.Fatalf("%v generation %d: a reader sees %v, want %v", shard, shard.Generation, got, want)
	}
}
