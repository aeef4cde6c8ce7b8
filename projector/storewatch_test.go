package projector_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// watch runs a Watch in a goroutine and gives its changes one by one; stop ends and joins it.
func watch(t *testing.T, v *projector.View[total], s *projector.Store, opts ...projector.ReadOption) (changes chan projector.RowChange[total], stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	changes, ended := make(chan projector.RowChange[total]), make(chan error, 1)
	go func() {
		ended <- v.Watch(ctx, s, func(c projector.RowChange[total]) error {
			select {
			case changes <- c:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, opts...)
	}()
	return changes, func() error {
		cancel()
		return <-ended
	}
}

func show(c projector.RowChange[total]) string {
	switch {
	case c.Reset:
		return "reset"
	case c.Deleted:
		return c.Row.Key + " deleted"
	}
	return fmt.Sprint(c.Row.Key, "=", c.Row.Value.Sum)
}

func TestWatch(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	apply(t, h, v, 1, func(r *projector.Rows[total]) {
		for _, key := range []string{"a1", "a2", "b1"} {
			noError(t, r.Put(key, total{Sum: 1}))
		}
	})
	prefix, stopPrefix := watch(t, v, s, projector.Prefix("a"))
	key, stopKey := watch(t, v, s, projector.OnlyKey("b1"))
	for _, want := range []string{"a1=1", "a2=1"} {
		if got := show(<-prefix); got != want {
			t.Fatalf("the prefix sees %s, want %s", got, want)
		}
	}
	if got := show(<-key); got != "b1=1" {
		t.Fatalf("the key sees %s", got)
	}
	for i := range int64(3) {
		apply(t, h, v, 2+i, func(r *projector.Rows[total]) {
			noError(t, r.Put("a1", total{Sum: 10 + i}))
			noError(t, r.Delete("a2"))
			noError(t, r.Put("b1", total{Sum: 20 + i}))
		})
	}
	// Nobody took the changes meanwhile, and no commit waited. What comes last is what is there.
	for last, gone := "", false; last != "a1=12" || !gone; {
		switch got := show(<-prefix); got {
		case "a2 deleted":
			gone = true
		case "a1=10", "a1=11", "a1=12":
			last = got
		default:
			t.Fatalf("the prefix sees %s", got)
		}
	}
	for last := ""; last != "b1=22"; {
		change := <-key
		if last = show(change); len(change.At) != 1 || change.At[0].Offset < 1 {
			t.Fatalf("a change is at %v", change.At)
		}
	}
	if err := stopPrefix(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if err := stopKey(); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// When other rows answer from now on, a watcher is told to forget what it saw, and sees them all.
func TestWatchReset(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	apply(t, claim(t, s, shardOf(v, 0)), v, 1, func(r *projector.Rows[total]) { noError(t, r.Put("old", total{Sum: 1})) })
	again := shardOf(v, 0)
	again.Generation = 1
	h := claim(t, s, again)
	apply(t, h, v, 1, func(r *projector.Rows[total]) { noError(t, r.Put("new", total{Sum: 1})) })
	changes, stop := watch(t, v, s)
	if got := show(<-changes); got != "old=1" {
		t.Fatalf("it sees %s", got)
	}
	s.Serve("totals", 1, 1)
	apply(t, h, v, 2, func(r *projector.Rows[total]) { noError(t, r.Put("new", total{Sum: 2})) })
	if got := show(<-changes); got != "reset" {
		t.Fatalf("it sees %s, want a reset", got)
	}
	for got := ""; got != "new=2"; {
		if got = show(<-changes); got != "new=1" && got != "new=2" {
			t.Fatalf("it sees %s", got)
		}
	}
	_ = stop()
}

// A watcher that is far behind costs a bounded amount of memory: it is told to forget and sees every row as it is.
func TestWatchFarBehind(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	h := claim(t, s, shardOf(v, 0))
	apply(t, h, v, 1, func(r *projector.Rows[total]) { noError(t, r.Put("k", total{})) })
	changes, stop := watch(t, v, s)
	<-changes
	const many = 40_000 // one batch is what it takes at most before it is blocked; the rest is too much
	for batch := range 4 {
		apply(t, h, v, int64(2+batch), func(r *projector.Rows[total]) {
			for i := range many / 4 {
				noError(t, r.Put(fmt.Sprintf("k%05d", batch*many/4+i), total{Sum: 1}))
			}
		})
	}
	seen, reset := map[string]bool{}, false
	for len(seen) < many+1 {
		c := <-changes
		if c.Reset {
			reset = true
			clear(seen)
			continue
		}
		seen[c.Row.Key] = true
	}
	if !reset {
		t.Fatal("all changes were kept for it")
	}
	_ = stop()
}

// The last holder's release, and closing the store, end a watch with an error that a caller can act upon.
func TestWatchEnds(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	for _, end := range []func(h projector.Holding){
		func(h projector.Holding) { h.Release() },
		func(projector.Holding) { noError(t, s.Close()) },
	} {
		h := claim(t, s, shardOf(v, 0))
		apply(t, h, v, 1, func(r *projector.Rows[total]) { noError(t, r.Put("k", total{})) })
		saw, ended := make(chan struct{}), make(chan error)
		go func() {
			first := true
			ended <- v.Watch(t.Context(), s, func(projector.RowChange[total]) error {
				if first {
					close(saw)
				}
				first = false
				return nil
			})
		}()
		<-saw
		end(h)
		if err := <-ended; muster.CodeOf(err) != muster.Unavailable {
			t.Fatalf("it ended with %v", err)
		}
	}
}

// What cannot be watched is refused with what can be done.
func TestWhatCannotBeWatched(t *testing.T) {
	v := projector.NewView[total]("totals")
	s := openStore(t, projector.StoreConfig{Views: []projector.AnyView{v}})
	for want, q := range map[string]projector.Query{
		`read index "size" again`:      {View: "totals", Index: "size", Key: "large"},
		`read counter "in" again`:      {View: "totals", Counter: "in"},
		"leave page token and order":   {View: "totals", Reverse: true},
		"leave page token and order o": {View: "totals", Token: "t"},
	} {
		err := s.Watch(t.Context(), q, func(projector.Update) error { return nil })
		if muster.CodeOf(err) != muster.InvalidArgument || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want %q", q, err, want)
		}
	}
}
