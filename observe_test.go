package muster_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
)

// recorder is a tracer that keeps every span, numbered in the order they began.
type recorder struct {
	mu    sync.Mutex // guards spans
	spans []*recorded
}

type recorded struct {
	r      *recorder
	start  muster.SpanStart
	parent string // traceparent of the parent
	self   string
	ended  int
	err    error
}

type spanKey struct{}

// Start implements [muster.Tracer] the way the documentation tells adapters to: the span in ctx is nearer than the one of the message.
func (r *recorder) Start(ctx context.Context, s muster.SpanStart) (context.Context, muster.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	span := &recorded{r: r, start: s, parent: s.Parent.Parent, self: fmt.Sprintf("00-trace-%02d", len(r.spans)+1)}
	if near, ok := ctx.Value(spanKey{}).(*recorded); ok {
		span.parent = near.self
	}
	r.spans = append(r.spans, span)
	return context.WithValue(ctx, spanKey{}, span), span
}

// Context implements [muster.Span].
func (s *recorded) Context() muster.TraceContext {
	return muster.TraceContext{Parent: s.self, State: "k=" + s.self}
}

// End implements [muster.Span].
func (s *recorded) End(err error) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.ended, s.err = s.ended+1, err
}

func (r *recorder) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, s := range r.spans {
		text := fmt.Sprintf("%s %s<%s", s.start.Stage, s.self, s.parent)
		if s.ended != 1 {
			text += fmt.Sprintf(" ended %d times", s.ended)
		}
		if s.err != nil {
			text += " " + muster.CodeOf(s.err).String()
		}
		all = append(all, text)
	}
	return strings.Join(all, "\n")
}

// A call's span is the parent of the handler's, that one's of what the handler sends; events and reply carry them.
func TestTraceFromCallToNestedSend(t *testing.T) {
	b, trace := newBank(), &recorder{}
	sent := &sender{}
	nested := muster.NewClient(muster.ClientConfig{Sender: sent, Tracer: trace})
	b.Hook = func(ctx context.Context, root *muster.Root[account], _ order) (account, error) {
		b.Noted.Emit(root, moved{})
		_, err := b.Open.Send(ctx, nested, "acc-2", order{})
		return account{}, err
	}
	w := newWorld(t, b.Account.Behaviour())
	w.config.Tracer = trace
	w.restart()
	var f *effects
	var c *muster.Client
	c = muster.NewClient(muster.ClientConfig{ReplyTo: muster.ReplyTo{Topic: "replies.web"}, Tracer: trace, Now: func() time.Time { return epoch }, Sender: &sender{
		each: func(_ context.Context, cmd *muster.Command) error {
			f = w.do(*cmd) //nolint:contextcheck // the owner has contexts of its own
			f.replies[0].Outcome.CommandID = cmd.ID
			c.Deliver(f.replies[0].Outcome)
			return nil
		},
	}})
	if _, err := b.Hooked.Call(t.Context(), c, "acc-1", order{}, muster.Trace("00-caller", "")); err != nil {
		t.Fatal(err)
	}
	want := "call 00-trace-01<00-caller\nhandle 00-trace-02<00-trace-01\nsend 00-trace-03<00-trace-02"
	if got := trace.String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
	if e := f.decision.Events[0]; e.TraceParent != "00-trace-02" || e.TraceState != "k=00-trace-02" {
		t.Errorf("the event carries %s %s", e.TraceParent, e.TraceState)
	}
	if m := f.replies[0].Meta; m.TraceParent != "00-trace-01" {
		t.Errorf("the reply carries %s", m.TraceParent)
	}
	if cmd := sent.sent[0]; cmd.TraceParent != "00-trace-03" || cmd.CausationID == "" {
		t.Errorf("the nested command carries %s", cmd.TraceParent)
	}
	for _, s := range trace.spans {
		if s.start.Type == "" || s.start.CommandID == "" || s.start.Count != 1 || (s.start.Partition == -1) == (s.start.Stage == muster.StageHandle) {
			t.Errorf("%+v", s.start)
		}
	}
}

// Every span ends once, with why: refusals, panics, failures to send; middleware stands inside the span.
func TestSpansEndWithTheirError(t *testing.T) {
	trace := &recorder{}
	w := newWorld(t, newBank().Account.Behaviour())
	w.config.Tracer = trace
	w.config.Middleware = []muster.Middleware{replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		if call.Command.TraceParent != "00-trace-01" && call.Command.ID == "no" {
			t.Errorf("the middleware sees %s", call.Command.TraceParent)
		}
		return next(ctx, call)
	})}
	w.restart()
	w.do(command("deposit", "acc-1", "no", order{}), command("explode", "acc-1", "x", order{}), command("open", "acc-1", "o", order{}))
	b := newBank()
	c := muster.NewClient(muster.ClientConfig{Tracer: trace, Sender: &sender{each: func(_ context.Context, cmd *muster.Command) error {
		return map[string]error{"lost": context.DeadlineExceeded}[cmd.ID]
	}}})
	var cmds []*muster.Command
	for _, id := range []string{"lost", "fine"} {
		cmd, err := b.Open.New(t.Context(), c, "acc-1", order{}, muster.CommandID(id))
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	c.SendAll(t.Context(), b.Group, cmds)
	want := "handle 00-trace-01< NOT_FOUND\nhandle 00-trace-02< INTERNAL\nhandle 00-trace-03<\nsend 00-trace-04< UNAVAILABLE\nsend 00-trace-05<"
	if got := trace.String(); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
