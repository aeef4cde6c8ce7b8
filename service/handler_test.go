package service_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// front is a service that owns two groups of stateless handlers; what a command does is said by the function that a test gives.
type front struct {
	*running
	brokers        []string
	metrics        *prometheus.Registry
	near, far      *muster.Group
	nearDo, farDo  *muster.CommandType[slip, slip]
	happened       *muster.EventType[slip]
	doing, farther func(ctx context.Context, cmd *muster.Command, in slip, w muster.Writer) (slip, error) // set before start
}

func newFront(t *testing.T) *front {
	t.Helper()
	f := &front{
		brokers: anyBrokers(t), metrics: prometheus.NewRegistry(),
		near: muster.NewGroup(kafkatest.UniqueName(t, "near"), muster.Partitions(2)), far: muster.NewGroup(kafkatest.UniqueName(t, "far"), muster.Partitions(3)),
	}
	f.nearDo, f.farDo = muster.NewCommand[slip, slip](f.near, "near.Do"), muster.NewCommand[slip, slip](f.far, "far.Do")
	f.happened = muster.NewEvent[slip](f.near, "near.Happened")
	f.farther = func(_ context.Context, _ *muster.Command, in slip, _ muster.Writer) (slip, error) { return in, nil }
	return f
}

func (f *front) open(t *testing.T, change func(*service.Config), more ...service.Part) {
	t.Helper()
	cfg := service.Config{
		Name: kafkatest.UniqueName(t, "front"), Brokers: f.brokers, DataDir: t.TempDir(), Metrics: f.metrics, ReplyPartitions: 1,
		SessionTimeout: 6 * time.Second, CallTimeout: 20 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	f.running = start(t, cfg, append([]service.Part{muster.HandleCommand(f.nearDo, f.doing), muster.HandleCommand(f.farDo, f.farther)}, more...)...)
}

// events gives what is in the journal of the near group.
func (f *front) events(t *testing.T) (all []muster.Event) {
	t.Helper()
	ctx, cancel := contextFor(t)
	defer cancel()
	j, err := history.Read(ctx, connection(f.brokers), f.near)
	if err != nil {
		t.Fatal(err)
	}
	for _, some := range j.Events {
		all = append(all, some...)
	}
	return all
}

// Handlers of every form in one group: named, catch-all, error event; one forgets its answer. The journal has revisions, dedup and
// expected revisions work without any state.
func TestHandlersOfEveryForm(t *testing.T) {
	f := newFront(t)
	f.doing = func(_ context.Context, cmd *muster.Command, in slip, w muster.Writer) (slip, error) {
		return in, f.happened.Write(w, slip{ID: fmt.Sprint("after ", cmd.Revision)})
	}
	forgets := f.near.HandleFunc("near.Forget", func(_ context.Context, _ *muster.Command, w muster.Writer) error { return w.Event("near.Forgotten", 1) })
	fails := f.near.HandleFunc("near.Fail", func(_ context.Context, _ *muster.Command, w muster.Writer) error {
		return w.ErrorEvent("near.Failed", "why", muster.Errorf(muster.FailedPrecondition, "it failed"))
	})
	rest := f.near.CatchAll(func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		return w.Reply(slip{ID: cmd.Type})
	})
	f.open(t, nil, forgets, rest, fails)
	call := func(name string, opts ...muster.CallOption) (slip, error) {
		c := muster.NewCommand[slip, slip](muster.NewGroup(f.near.Name(), muster.Partitions(2)), name)
		return c.Call(t.Context(), f.Client(), "a-1", slip{ID: name}, opts...)
	}
	var receipt muster.Receipt
	for name, want := range map[string]string{"near.Do": "near.Do", "near.Forget": "", "near.Whatever": "near.Whatever"} {
		for range 2 { // the repeat gets the same
			if got, err := call(name, muster.CommandID(name)); err != nil || got.ID != want {
				t.Errorf("%s: %+v, %v", name, got, err)
			}
		}
	}
	for range 2 {
		if _, err := call("near.Fail", muster.CommandID("fail")); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "it failed") {
			t.Errorf("error event: %v", err)
		}
	}
	if _, err := call("near.Do", muster.ExpectRevision(3), muster.ReceiptTo(&receipt)); err != nil || receipt.Revision != 4 {
		t.Errorf("expected revision: %v, %+v", err, receipt)
	}
	if _, err := call("near.Do", muster.ExpectRevision(3)); !errors.Is(err, muster.ErrConflict) {
		t.Errorf("wrong expected revision: %v", err)
	}
	types := map[string]int{}
	for i, e := range f.events(t) {
		types[e.Type]++
		if e.Revision != uint64(i+1) {
			t.Errorf("event %d has revision %d", i, e.Revision)
		}
	}
	if types["near.Happened"] != 2 || types["near.Forgotten"] != 1 || types["near.Failed"] != 1 || len(types) != 3 {
		t.Errorf("events %v", types)
	}
}

// A handler calls a handler of another group: what is left of the deadline, the conversation and the user's headers go along, and the way
// back is refused.
func TestHandlerCallsAnotherGroup(t *testing.T) {
	f := newFront(t)
	seen := make(chan *muster.Command, 1)
	f.doing = func(ctx context.Context, _ *muster.Command, in slip, w muster.Writer) (slip, error) {
		return f.farDo.Call(ctx, w.Client(), "b-1", in)
	}
	f.farther = func(ctx context.Context, cmd *muster.Command, in slip, w muster.Writer) (slip, error) {
		if in.How == "back" {
			return f.nearDo.Call(ctx, w.Client(), "a-2", in)
		}
		if left, bounded := ctx.Deadline(); !bounded || time.Until(left) > 17*time.Second {
			t.Errorf("the inner handler has until %v", left)
		}
		kept := *cmd
		seen <- &kept
		return slip{ID: in.ID + "!"}, nil
	}
	f.open(t, nil)
	got, err := f.nearDo.Call(t.Context(), f.Client(), "a-1", slip{ID: "x"}, muster.CommandID("outer"), muster.Correlation("talk"),
		muster.WithHeader("tenant", []byte("t")), muster.Timeout(17*time.Second))
	if err != nil || got.ID != "x!" {
		t.Fatalf("%+v, %v", got, err)
	}
	inner := <-seen
	if header, _ := inner.Headers.Get("tenant"); inner.CorrelationID != "talk" || inner.CausationID != "outer" || string(header) != "t" || inner.Hops != 1 ||
		len(inner.Path) != 1 || inner.Path[0] != f.near.Name() || inner.Deadline.IsZero() {
		t.Errorf("the inner command: %+v", inner)
	}
	began := time.Now()
	_, err = f.nearDo.Call(t.Context(), f.Client(), "a-1", slip{How: "back"})
	if path := f.near.Name() + " -> " + f.far.Name() + " -> " + f.near.Name(); muster.ReasonOf(err) != muster.ReasonCallCycle || !strings.Contains(err.Error(), path) {
		t.Errorf("the way back: %v", err)
	}
	if took := time.Since(began); took > 25*time.Second {
		t.Errorf("the cycle was found after %v: it was waited for", took)
	}
}

// A stream gives the steps and then the outcome, also when the handler panics after progress and an event; of that event nothing is there.
func TestHandlerProgress(t *testing.T) {
	f := newFront(t)
	f.doing = func(_ context.Context, _ *muster.Command, in slip, w muster.Writer) (slip, error) {
		for n := range 5 {
			if err := w.Progress(n * 20); err != nil {
				t.Error(err)
			}
		}
		if in.How == "panic" {
			if err := f.happened.Write(w, in); err != nil {
				t.Error(err)
			}
			panic("secret")
		}
		return in, nil
	}
	f.open(t, nil)
	for _, how := range []string{"", "panic"} {
		var percents []int
		var end error
		var result slip
		for update, err := range f.nearDo.Stream(t.Context(), f.Client(), "a-1", slip{ID: "x", How: how}) {
			if update.Step == nil {
				result, end = update.Result, err
				continue
			}
			percent, err := muster.StepOf[int](update.Step)
			if err != nil || update.Step.Number != len(percents)+1 {
				t.Errorf("step %+v: %v", update.Step, err)
			}
			percents = append(percents, percent)
		}
		if len(percents) != 5 || percents[4] != 80 {
			t.Errorf("%s: steps %v", how, percents)
		}
		if how == "" && (end != nil || result.ID != "x") || how != "" && muster.ReasonOf(end) != muster.ReasonPanic {
			t.Errorf("%q ends with %+v, %v", how, result, end)
		}
	}
	if events := f.events(t); len(events) != 0 {
		t.Errorf("%d events are in the journal", len(events))
	}
	if _, err := f.nearDo.Call(t.Context(), f.Client(), "a-1", slip{ID: "x"}); err != nil {
		t.Errorf("a call that wants no progress: %v", err)
	}
}

// A handler that overruns, with and without heeding its context, ends in a refusal; the answer of the others does not wait for it longer
// than the deadline, and what it writes late is dropped.
func TestHandlerOverruns(t *testing.T) {
	t.Parallel() // it waits most of the time
	f := newFront(t)
	hang, late := make(chan struct{}), make(chan error, 1)
	f.doing = func(ctx context.Context, _ *muster.Command, in slip, w muster.Writer) (slip, error) {
		if err := f.happened.Write(w, in); err != nil {
			t.Error(err)
		}
		switch in.How {
		case "heeds":
			<-ctx.Done()
			return slip{}, ctx.Err()
		case "hangs":
			<-hang
			late <- f.happened.Write(w, in)
		}
		return in, nil
	}
	f.open(t, func(c *service.Config) { c.HandlerDeadline = 3 * time.Second }) // which the one that returns has to keep on a busy machine
	var all sync.WaitGroup
	for i, how := range []string{"heeds", "hangs", ""} {
		all.Go(func() {
			_, err := f.nearDo.Call(t.Context(), f.Client(), fmt.Sprint("a-", i), slip{ID: how, How: how})
			if how == "" && err != nil || how != "" && muster.ReasonOf(err) != muster.ReasonOverrun {
				t.Errorf("%q: %v", how, err)
			}
		})
	}
	all.Wait()
	close(hang)
	if err := <-late; !errors.Is(err, muster.ErrWriterClosed) {
		t.Errorf("a late write: %v", err)
	}
	if events := f.events(t); len(events) != 1 {
		t.Errorf("%d events are in the journal, want the one of the command that ended in time", len(events))
	}
}

// Commands to a group that is not there are refused, each with a dead letter, and the lane goes on.
func TestHandlerWritesToNowhere(t *testing.T) {
	f := newFront(t)
	missing := muster.NewGroup(kafkatest.UniqueName(t, "missing"))
	f.doing = func(_ context.Context, _ *muster.Command, in slip, w muster.Writer) (slip, error) {
		if in.How == "nowhere" {
			return in, errors.Join(f.happened.Write(w, in), w.Command(missing, "missing.Do", "x", in))
		}
		return in, errors.Join(f.happened.Write(w, in), f.farDo.Write(w, "x", in))
	}
	f.open(t, nil)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			how := ""
			if i%2 == 0 {
				how = "nowhere"
			}
			_, err := f.nearDo.Call(t.Context(), f.Client(), fmt.Sprint("a-", i), slip{ID: fmt.Sprint(i), How: how})
			if how == "" && err != nil || how != "" && (muster.ReasonOf(err) != muster.ReasonNoTarget || !strings.Contains(err.Error(), missing.CommandTopic(""))) {
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	if events := f.events(t); len(events) != 10 {
		t.Errorf("%d events, want 10", len(events))
	}
	group := map[string]string{"group": f.near.Name()}
	if dead, written := total(t, f.metrics, "muster_dead_letters_total", group), total(t, f.metrics, "muster_written_commands_total", group); dead != 10 || written != 10 {
		t.Errorf("%v dead letters and %v written commands are counted, want 10 and 10", dead, written)
	}
}

// What is done is committed while later commands of the same batch still wait for something: a batch of slow handlers is committed slice by
// slice, each as large as there are workers.
func TestSlowHandlersAreCommittedInParts(t *testing.T) {
	const workers = 4
	f := newFront(t)
	gates := map[string]chan struct{}{"first": make(chan struct{}), "blocked": make(chan struct{})}
	entered := make(chan struct{}, 1)
	f.doing = func(_ context.Context, _ *muster.Command, in slip, w muster.Writer) (slip, error) {
		switch in.How {
		case "first":
			entered <- struct{}{}
			<-gates["first"]
		case "blocked":
			<-gates["blocked"]
		default:
			<-time.After(50 * time.Millisecond) // longer than a lane's patience with one transaction
		}
		return in, f.happened.Write(w, in)
	}
	f.open(t, func(c *service.Config) { c.Workers, c.Lanes = workers, 1 })
	serial := 0
	send := func(n int, how string) { // all to one partition, each to an aggregate of its own
		for n > 0 {
			id := fmt.Sprint("a-", serial)
			if serial++; kafka.Partition(id, f.near.Partitions()) != 0 {
				continue
			}
			if _, err := f.nearDo.Send(t.Context(), f.Client(), id, slip{How: how}); err != nil {
				t.Fatal(err)
			}
			n--
		}
	}
	send(1, "first")
	<-entered
	send(workers, "slow")
	send(2*workers, "blocked")
	// All of them must be in one batch. Taken one fetch earlier, some of the slow ones would share a slice with blocked ones, and wait for them.
	eventually(t, "all that was sent is in the buffer", func() bool {
		return total(t, f.metrics, "muster_lag_commands", map[string]string{"group": f.near.Name()}) == 3*workers
	})
	close(gates["first"])
	eventually(t, "the slow ones are committed while others are blocked", func() bool { return len(f.events(t)) == 1+workers })
	close(gates["blocked"])
	eventually(t, "all are committed", func() bool { return len(f.events(t)) == 1+3*workers })
}
