package service_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// counting is middleware that counts what passes, by stage and command id.
type counting struct {
	mu   sync.Mutex // guards seen
	seen map[string]int
}

func (c *counting) around(name string) muster.Middleware {
	return func(next muster.Invoke) muster.Invoke {
		return func(ctx context.Context, call *muster.Invocation) (*muster.Outcome, error) {
			c.mu.Lock()
			if c.seen == nil {
				c.seen = map[string]int{}
			}
			c.seen[name+" "+string(call.Stage)+" "+call.Command.ID]++
			c.mu.Unlock()
			return next(ctx, call)
		}
	}
}

// Every execution and every send is seen exactly once by each middleware, whichever way it was sent.
func TestMiddlewareOfAService(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	var c counting
	cfg := st.config()
	cfg.Handling = []muster.Middleware{c.around("outer"), muster.ForType(st.balance, c.around("query"))}
	cfg.Sending = []muster.Middleware{c.around("sender"), muster.ForType(st.withdraw, func(muster.Invoke) muster.Invoke {
		return func(context.Context, *muster.Invocation) (*muster.Outcome, error) {
			return nil, errors.New("closed today")
		}
	})}
	owner := st.owner(nil)
	owner.Use(c.around("inner"))
	s := start(t, cfg, owner)
	ctx := st.within()
	if _, err := st.deposit.Call(ctx, s.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("call")); err != nil {
		t.Error(err)
	}
	if _, err := st.deposit.Send(ctx, s.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID("send")); err != nil {
		t.Error(err)
	}
	var cmds []*muster.Command
	for i := range 5 {
		cmd, err := st.deposit.New(ctx, s.Client(), fmt.Sprint("acc-", i), deposit{Amount: 1}, muster.CommandID(fmt.Sprint("batch-", i)))
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	if err := errors.Join(s.Client().SendAll(ctx, st.group, cmds)...); err != nil {
		t.Error(err)
	}
	for i := range 5 {
		if _, err := st.balance.Call(ctx, s.Client(), fmt.Sprint("acc-", i), ask{}, muster.CommandID(fmt.Sprint("ask-", i))); err != nil {
			t.Error(err)
		}
	}
	if _, err := st.withdraw.Call(ctx, s.Client(), "acc-1", withdraw{Amount: 1}, muster.CommandID("refused")); err == nil || err.Error() != "closed today" {
		t.Errorf("%v", err)
	}
	want := map[string]int{"sender call refused": 1, "sender call call": 1, "sender send send": 1}
	for _, id := range []string{"call", "send", "batch-0", "batch-1", "batch-2", "batch-3", "batch-4", "ask-0", "ask-1", "ask-2", "ask-3", "ask-4"} {
		want["outer handle "+id], want["inner handle "+id] = 1, 1
		switch {
		case strings.HasPrefix(id, "batch"):
			want["sender send "+id] = 1
		case strings.HasPrefix(id, "ask"):
			want["sender call "+id], want["query handle "+id] = 1, 1
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, n := range c.seen {
		if want[key] != n {
			t.Errorf("%s: seen %d times, want %d", key, n, want[key])
		}
	}
	for key := range want {
		if c.seen[key] == 0 {
			t.Errorf("%s: not seen", key)
		}
	}
}

// A nil middleware is a fault of the settings.
func TestNilMiddlewareIsRefused(t *testing.T) {
	cfg := service.Config{Name: "bank", Brokers: []string{"127.0.0.1:1"}, Handling: []muster.Middleware{nil}, Sending: []muster.Middleware{nil}}
	if err := cfg.Validate(); err == nil || strings.Count(err.Error(), "middleware is nil") != 2 {
		t.Errorf("%v", err)
	}
}

// spans is a tracer that keeps them all.
type spans struct {
	mu  sync.Mutex // guards all
	all []*oneSpan
}

type oneSpan struct {
	of     *spans
	start  muster.SpanStart
	id     string
	parent string
	ended  bool
}

type spanKey struct{}

// Start implements [muster.Tracer].
func (s *spans) Start(ctx context.Context, start muster.SpanStart) (context.Context, muster.Span) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := &oneSpan{of: s, start: start, id: fmt.Sprintf("00-0af7651916cd43dd8448eb211c80319c-%016x-01", len(s.all)+1), parent: start.Parent.Parent}
	if near, ok := ctx.Value(spanKey{}).(*oneSpan); ok {
		one.parent = near.id
	}
	s.all = append(s.all, one)
	return context.WithValue(ctx, spanKey{}, one), one
}

// Context implements [muster.Span].
func (o *oneSpan) Context() muster.TraceContext { return muster.TraceContext{Parent: o.id} }

// End implements [muster.Span].
func (o *oneSpan) End(error) {
	o.of.mu.Lock()
	defer o.of.mu.Unlock()
	o.ended = true
}

// find gives the first span of a stage that is about a command type of a group, or, for the stages of a batch, that links to a span.
func (s *spans) find(stage muster.Stage, group, name, link string) *oneSpan {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.all {
		linked := link == "" || slices.Contains(o.start.Links, muster.TraceContext{Parent: link})
		if o.start.Stage == stage && o.start.Group == group && o.start.Type == name && linked && o.ended {
			return o
		}
	}
	return nil
}

// One trace: the call of a handler in one group, which calls and writes to another; events and batches belong to it.
func TestTraceThroughTwoGroups(t *testing.T) { traceThrough(t, kafkatest.Brokers(t)) }

func traceThrough(t *testing.T, brokers []string) {
	st := newStage(t, brokers, 2)
	desk := muster.NewGroup(kafkatest.UniqueName(t, "desk"), muster.Partitions(2))
	serve := desk.HandleFunc("desk.Serve", func(ctx context.Context, _ *muster.Command, w muster.Writer) error {
		if _, err := st.deposit.Call(ctx, w.Client(), "acc-1", deposit{Amount: 1}); err != nil {
			return err
		}
		if err := w.Event("desk.Served", ask{}); err != nil {
			return err
		}
		return w.Command(st.group, "bank.Withdraw", "acc-1", withdraw{Amount: 1})
	})
	var trace spans
	cfg := st.config()
	cfg.Tracer = &trace
	s := start(t, cfg, st.owner(nil), serve)
	do := muster.NewCommand[ask, muster.Raw](desk, "desk.Serve")
	if _, err := do.Call(st.within(), s.Client(), "guest-1", ask{}); err != nil {
		t.Fatal(err)
	}
	var chain []*oneSpan
	link := func(stage muster.Stage, group, name string) *oneSpan {
		t.Helper()
		var found *oneSpan
		st.until(fmt.Sprintf("a span of %s %s", stage, name), func() bool { found = trace.find(stage, group, name, ""); return found != nil })
		chain = append(chain, found)
		return found
	}
	bankGroup := st.group.Name()
	call, handle := link(muster.StageCall, desk.Name(), "desk.Serve"), link(muster.StageHandle, desk.Name(), "desk.Serve")
	nested, inner := link(muster.StageCall, bankGroup, "bank.Deposit"), link(muster.StageHandle, bankGroup, "bank.Deposit")
	written := link(muster.StageHandle, bankGroup, "bank.Withdraw")
	for _, c := range []struct {
		what        string
		child, want string
	}{
		{"the call has no parent", call.parent, ""},
		{"the handler follows the call", handle.parent, call.id},
		{"its call follows the handler", nested.parent, handle.id},
		{"the other handler follows that call", inner.parent, nested.id},
		{"the written command follows the handler", written.parent, handle.id},
	} {
		if c.child != c.want {
			t.Errorf("%s: parent %q, want %q", c.what, c.child, c.want)
		}
	}
	for _, stage := range []muster.Stage{muster.StageCommit, muster.StageStore, muster.StageReply} {
		st.until(fmt.Sprintf("%s of the batch of the call", stage), func() bool { return trace.find(stage, desk.Name(), "", call.id) != nil })
	}
	for e, err := range s.History(st.within(), st.group, "acc-1") {
		if err != nil {
			t.Fatal(err)
		}
		if want := map[string]string{"bank.Credited": inner.id, "bank.Debited": written.id}[e.Type]; e.TraceParent != want {
			t.Errorf("%s carries %q, want %q", e.Type, e.TraceParent, want)
		}
	}
}
