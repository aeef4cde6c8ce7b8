package projector_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// What the runner itself costs for an event: the journal is a slice, the target forgets.
func BenchmarkRunner(b *testing.B) {
	g := muster.NewGroup("notes", muster.Partitions(1))
	event := muster.NewEvent[muster.Raw](g, "Noted")
	p := &plain{d: projector.NewDefinition("plain")}
	done, left := make(chan struct{}), b.N
	projector.On(p, event, func(context.Context, any, muster.Raw, muster.Meta) error {
		if left--; left == 0 { // more come until the runner ends
			close(done)
		}
		return nil
	})
	f := &endless{source: projector.Source{Topic: "notes.events"}}
	for n := range 4000 {
		f.events = append(f.events, muster.Event{Count: 1, Payload: []byte("payload"), Meta: muster.Meta{
			ID: fmt.Sprint("0190b3c4-5d6e-7f80-9a0b-", n, "/0"), Type: "Noted", Group: "notes", AggregateID: fmt.Sprint("account-", n), Topic: "notes.events", ContentType: muster.ContentRaw,
		}})
	}
	runner, err := projector.Open(projector.Config{Definition: p.d, Target: forgetful{}, Journal: f})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	b.ReportAllocs()
	b.ResetTimer()
	go func() { ended <- runner.Run(ctx) }()
	<-done
	b.StopTimer()
	cancel()
	if err := <-ended; err != nil {
		b.Fatal(err)
	}
}

type plain struct{ d *projector.Definition }

func (p *plain) Definition() *projector.Definition { return p.d }
func (p *plain) Hand(tx any) any                   { return tx }

// endless is a journal, and a feed of it, that always has more.
type endless struct {
	source projector.Source
	events []muster.Event
	items  []projector.Item
	next   int64
}

func (f *endless) Start(context.Context, muster.Reading, projector.Source) (int64, error) {
	return 0, nil
}

func (f *endless) Look(context.Context, projector.Source) (projector.Look, error) {
	return projector.Look{TopicID: [16]byte{1}, High: 1 << 60}, nil
}

func (f *endless) Open(context.Context, map[projector.Source]int64) (projector.Feed, error) {
	return f, nil
}

func (f *endless) Close() {}

func (f *endless) Next(ctx context.Context) (projector.Delivery, error) {
	if err := ctx.Err(); err != nil {
		return projector.Delivery{}, err
	}
	f.items = f.items[:0]
	for i := range f.events {
		f.events[i].Offset = f.next
		f.next++
		f.items = append(f.items, projector.Item{Source: f.source, Event: &f.events[i]})
	}
	return projector.Delivery{Items: f.items, Next: map[projector.Source]int64{f.source: f.next}, High: map[projector.Source]int64{f.source: 1 << 60}}, nil
}

// forgetful is a target, a holding and a batch that keep nothing.
type forgetful struct{}

func (f forgetful) Claim(context.Context, projector.Shard) (projector.Holding, error) {
	return f, nil
}

func (f forgetful) Stored(context.Context) (projector.Stored, error) {
	return projector.Stored{}, nil
}

func (f forgetful) Begin(context.Context) (projector.Batch, error) {
	return f, nil
}

func (f forgetful) Drop(context.Context, projector.Shard) error    { return nil }
func (f forgetful) Release()                                       {}
func (f forgetful) Tx() any                                        { return nil }
func (f forgetful) Before(*projector.Running)                      {}
func (f forgetful) Commit(context.Context, projector.Change) error { return nil }
func (f forgetful) Rollback()                                      {}
