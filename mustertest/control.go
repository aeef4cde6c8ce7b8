package mustertest

import (
	"context"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/projector"
)

// Control holds an implementation of [projector.Control] against the port's promises. Every implementation's tests call it; open is called once for
// each subtest and gives two that see the same table, or one twice where there can be only one.
func Control(t *testing.T, open func(t *testing.T) (one, other projector.Control)) {
	t.Helper()
	run := func(name string, test func(ctx context.Context, t *testing.T, one, other projector.Control)) {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			one, other := open(t)
			test(ctx, t, one, other)
		})
	}
	run("an empty table has nothing", func(ctx context.Context, t *testing.T, one, _ projector.Control) {
		if got := entriesOf(ctx, t, one); len(got) != 0 {
			t.Errorf("entries: %v", got)
		}
	})
	run("what one writes the other reads", func(ctx context.Context, t *testing.T, one, other projector.Control) {
		number := putInto(ctx, t, one, "a", "1")
		got := entriesOf(ctx, t, other)["a"]
		if string(got.Value) != "1" || got.Number != number || got.Time.IsZero() {
			t.Errorf("written as number %d, read as %+v", number, got)
		}
	})
	run("numbers are above zero and grow", func(ctx context.Context, t *testing.T, one, other projector.Control) {
		last := int64(0)
		for i := range 6 {
			value := "v"
			if i == 4 {
				value = "" // removed
			}
			n := putInto(ctx, t, []projector.Control{one, other}[i%2], "k", value)
			if n <= last {
				t.Errorf("number %d behind %d", n, last)
			}
			last = n
		}
	})
	run("the last value of a key counts, and none removes it", func(ctx context.Context, t *testing.T, one, other projector.Control) {
		putInto(ctx, t, one, "a", "1")
		putInto(ctx, t, other, "a", "2")
		putInto(ctx, t, one, "b", "3")
		putInto(ctx, t, other, "b", "")
		got := entriesOf(ctx, t, one)
		if len(got) != 1 || string(got["a"].Value) != "2" {
			t.Errorf("entries: %v", got)
		}
	})
	run("who waits hears of a change", func(ctx context.Context, t *testing.T, one, other projector.Control) {
		entries, changed := other.Entries()
		putInto(ctx, t, one, "a", "1")
		for len(entries) == 0 {
			select {
			case <-changed:
				entries, changed = other.Entries()
			case <-ctx.Done():
				t.Fatal("nobody said that there is more")
			}
		}
	})
	run("what Entries gave does not change", func(ctx context.Context, t *testing.T, one, _ projector.Control) {
		putInto(ctx, t, one, "a", "1")
		before := entriesOf(ctx, t, one)
		putInto(ctx, t, one, "a", "2")
		putInto(ctx, t, one, "b", "3")
		entriesOf(ctx, t, one)
		if len(before) != 1 || string(before["a"].Value) != "1" {
			t.Errorf("now it is %v", before)
		}
	})
	run("the end of the context is an error", func(ctx context.Context, t *testing.T, one, _ projector.Control) {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := one.Put(ended, "a", []byte("1")); err == nil {
			t.Error("Put gave none")
		}
		if err := one.Sync(ended); err == nil {
			t.Error("Sync gave none")
		}
	})
}

// putInto writes an entry; an empty value removes the key.
func putInto(ctx context.Context, t *testing.T, c projector.Control, key, value string) int64 {
	t.Helper()
	var bytes []byte
	if value != "" {
		bytes = []byte(value)
	}
	number, err := c.Put(ctx, key, bytes)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

func entriesOf(ctx context.Context, t *testing.T, c projector.Control) map[string]projector.Entry {
	t.Helper()
	if err := c.Sync(ctx); err != nil {
		t.Fatal(err)
	}
	entries, _ := c.Entries()
	return entries
}
