package mustertest_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
)

// The fake stands in wherever a test needs stored state.
func ExampleNewMemoryStates() {
	states := mustertest.NewMemoryStates()
	_ = states.Store(context.Background(), []muster.Changes{{
		Partition: 1, Next: 1,
		States: []muster.StoredState{{AggregateID: "acc-1", Revision: 1, Offset: 0, Data: []byte("open")}},
	}})
	state, err := states.Load(1, "acc-1")
	fmt.Println(state.Revision, string(state.Data), err, states.Next(1))
	// Output: 1 open <nil> 1
}

// A test of a package that handles people: it imports their messages, which links them in, and fails for each line that prints one.
func ExampleNoPersonalPrints() {
	_ = func(t *testing.T) {
		mustertest.NoPersonalPrints(t, "./...")
	}
}
