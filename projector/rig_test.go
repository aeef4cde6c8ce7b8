package projector_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

// noted is the event of these tests.
type noted struct {
	Text string `json:"text"`
}

// rig is a projection of one group over memory forms of all ports. Its rows are, by aggregate, the texts in the order they were applied.
type rig struct {
	t       *testing.T
	group   *muster.Group
	event   *muster.EventType[noted]
	other   *muster.EventType[noted]
	p       *mustertest.MemoryProjection
	journal *mustertest.MemoryJournal
	target  *mustertest.MemoryTarget
	control *projector.MemoryControl
	members *mustertest.MemoryMembership
	logs    *lines

	mu  sync.Mutex // guards what follows
	bad map[string]func(ctx context.Context) error
	ran map[string]int // runs of the function, by text
	old map[string]projector.Running
}

type lines struct {
	mu   sync.Mutex // guards text
	text strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func newRig(t *testing.T, partitions int, opts ...projector.Option) *rig {
	t.Helper()
	g := muster.NewGroup("notes", muster.Partitions(partitions))
	r := &rig{
		t: t, group: g, event: muster.NewEvent[noted](g, "Noted"), other: muster.NewEvent[noted](g, "Other"), journal: mustertest.NewMemoryJournal(),
		target: mustertest.NewMemoryTarget(), control: projector.NewMemoryControl(), logs: &lines{},
		bad: map[string]func(context.Context) error{}, ran: map[string]int{}, old: map[string]projector.Running{},
	}
	r.define(opts...)
	return r
}

func (r *rig) define(opts ...projector.Option) {
	r.p = mustertest.NewMemoryProjection("texts", opts...)
	projector.On(r.p, r.event, r.apply)
}

func (r *rig) apply(ctx context.Context, to *mustertest.MemoryTx, e noted, m muster.Meta) error {
	r.mu.Lock()
	r.ran[e.Text]++
	r.old[e.Text] = to.Running()
	bad := r.bad[e.Text]
	r.mu.Unlock()
	have, _ := to.Get(m.AggregateID)
	to.Set(m.AggregateID, have+e.Text+" ")
	if got, ok := muster.MetaFrom(ctx); !ok || got.ID != m.ID {
		return fmt.Errorf("the context has the meta of %q, not of %q", got.ID, m.ID)
	}
	if bad != nil {
		return bad(ctx) // behind the write, so that a failure must take it back
	}
	return nil
}

// fails has the function fail for a text; nil mends it.
func (r *rig) fails(text string, fn func(ctx context.Context) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bad[text] = fn
}

func always(err error) func(context.Context) error {
	return func(context.Context) error { return err }
}

var errBroken = errors.New("it is broken")

func (r *rig) runs(text string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.ran[text]
}

func (r *rig) source(p int32) projector.Source {
	return projector.Source{Topic: r.group.JournalTopic(""), Partition: p}
}

// note appends a command's events: "aggregate:text ...".
func (r *rig) note(p int32, events ...string) muster.Position {
	var all []muster.Event
	for _, e := range events {
		id, text, _ := strings.Cut(e, ":")
		all = append(all, mustertest.NewEvent(r.event, id, noted{text}))
	}
	return r.journal.Append(r.source(p), all...)
}

func (r *rig) shard(n int32) projector.Shard {
	for _, s := range r.p.Definition().Shards("") {
		if s.Number == n {
			return s
		}
	}
	r.t.Fatalf("no shard %d", n)
	return projector.Shard{}
}

func (r *rig) rows(n int32) map[string]string { return r.target.Rows(r.shard(n)) }

func (r *rig) wantRows(n int32, want ...string) {
	r.t.Helper()
	rows := textRows(want...)
	if got := r.rows(n); !maps.Equal(got, rows) {
		r.t.Fatalf("shard %d has rows %q, want %q", n, got, rows)
	}
}

// textRows makes rows of "aggregate:texts".
func textRows(want ...string) map[string]string {
	rows := map[string]string{}
	for _, w := range want {
		id, texts, _ := strings.Cut(w, ":")
		rows[id] = texts + " "
	}
	return rows
}

// config gives one for an instance over the rig's ports.
func (r *rig) config(change ...func(*projector.Config)) projector.Config {
	c := projector.Config{
		Definition: r.p.Definition(), Target: r.target, Journal: r.journal, Control: r.control, Instance: "one",
		Logger: slog.New(slog.NewTextHandler(r.logs, nil)),
	}
	for _, fn := range change {
		fn(&c)
	}
	return c
}

// start runs a runner until the function it gives is called, or the test ends.
func (r *rig) start(change ...func(*projector.Config)) (*projector.Runner, func()) {
	r.t.Helper()
	runner, err := projector.Open(r.config(change...))
	if err != nil {
		r.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(r.t.Context())
	done := make(chan error, 1)
	go func() { done <- runner.Run(ctx) }()
	var once sync.Once
	stop := func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				r.t.Errorf("Run: %v", err)
			}
		})
	}
	r.t.Cleanup(stop)
	synctest.Wait()
	return runner, stop
}

// status gives that of a shard, after everything has come to rest.
func status(t *testing.T, runner *projector.Runner, shard int32) projector.Status {
	t.Helper()
	synctest.Wait()
	for _, s := range runner.Status() {
		if s.Shard == shard {
			return s
		}
	}
	t.Fatalf("shard %d is not held", shard)
	return projector.Status{}
}

func wantState(t *testing.T, runner *projector.Runner, shard int32, want projector.State, reason string) projector.Status {
	t.Helper()
	s := status(t, runner, shard)
	if s.State != want || s.Reason != reason {
		t.Fatalf("shard %d is %s (%s: %s), want %s (%s)", shard, s.State, s.Reason, s.Error, want, reason)
	}
	return s
}

// pass lets virtual time go on.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}
