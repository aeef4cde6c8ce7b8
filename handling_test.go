package muster_test

import (
	"context"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// Middleware around a stateless handler: an error event is committed with its refusal, unless the middleware refuses all of it.
func TestMiddlewareAroundStatelessHandlers(t *testing.T) {
	g := muster.NewGroup("accounts", muster.Partitions(4))
	var l trail
	b := g.HandleFunc("register", func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		return w.ErrorEvent("Rejected", order{}, muster.Errorf(muster.AlreadyExists, "taken"))
	}).Behaviour()
	for _, tt := range []struct {
		name   string
		step   func(out *muster.Outcome, err error) (*muster.Outcome, error)
		code   muster.Code
		events int
	}{
		{"passes", func(out *muster.Outcome, err error) (*muster.Outcome, error) { return out, err }, muster.AlreadyExists, 1},
		{"swallows the error, returns the outcome", func(out *muster.Outcome, _ error) (*muster.Outcome, error) { return out, nil }, muster.AlreadyExists, 1},
		{"refuses", func(*muster.Outcome, error) (*muster.Outcome, error) { return nil, muster.Errorf(muster.Aborted, "no") }, muster.Aborted, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, b)
			w.config.Middleware = []muster.Middleware{l.mark("out"), replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
				out, err := next(ctx, call)
				if muster.CodeOf(err) != muster.AlreadyExists || out == nil || call.Type() != "register" {
					t.Errorf("the middleware sees %+v, %v of %s", out, err, call.Type())
				}
				return tt.step(out, err)
			})}
			w.restart()
			f := w.do(command("register", "u-1", "r", order{}))
			if got := f.outcome(t, "r", 0); got.Code != tt.code || len(f.decision.Events) != tt.events {
				t.Errorf("%s, %d events", got.Code, len(f.decision.Events))
			}
			if got := l.take(); tt.events == 1 && tt.name == "passes" && got != "out>r <out:ALREADY_EXISTS" {
				t.Errorf("%s", got)
			}
		})
	}
}

// A type that nobody declared and that only a catch-all takes is no label: there could be any number of them.
func TestTypeForLabels(t *testing.T) {
	g := muster.NewGroup("accounts", muster.Partitions(4))
	var types []string
	w := newWorld(t, muster.Merge(
		g.CatchAll(func(context.Context, *muster.Command, muster.Writer) error { return nil }).Behaviour(),
		g.HandleFunc("known", func(context.Context, *muster.Command, muster.Writer) error { return nil }).Behaviour(),
	))
	w.config.Middleware = []muster.Middleware{replaced(func(ctx context.Context, call *muster.Invocation, next muster.Invoke) (*muster.Outcome, error) {
		types = append(types, call.Type())
		return next(ctx, call)
	})}
	w.restart()
	f := w.do(command("known", "a", "1", order{}), command("anything", "a", "2", order{}), question("a", "1"))
	if len(types) != 2 || types[0] != "known" || types[1] != "other" {
		t.Errorf("types %v", types)
	}
	if o := recalled(t, f, "1"); o == nil || o.Code != muster.OK {
		t.Errorf("a catch-all took the question for a result: %+v", o)
	}
}
