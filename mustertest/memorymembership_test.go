package mustertest_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster/mustertest"
)

// endsBetween is a context that ends right behind the first look at it.
type endsBetween struct {
	context.Context
	looks atomic.Int32
}

func (c *endsBetween) Err() error {
	if c.looks.Add(1) == 1 {
		return nil
	}
	return context.Canceled
}

func (c *endsBetween) Done() <-chan struct{} {
	done := make(chan struct{})
	close(done)
	return done
}

// Whoever is told to leave while it takes shards gives them back; else nobody could have them any more.
func TestAMemberThatLeavesWhileItGainsKeepsNothing(t *testing.T) {
	all := mustertest.NewMemoryMembership(0, 1)
	var has []int32
	gain := func(_ context.Context, shards []int32) { has = append(has, shards...) }
	lose := func(_ context.Context, shards []int32) { has = has[len(shards):] }
	err := all.Member("one", "").Run(&endsBetween{Context: t.Context()}, gain, lose)
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("Run ended with %v", err)
	}
	if held := all.Held(); len(held) > 0 || len(has) > 0 {
		t.Fatalf("it left, but holds %v and still has %v", held, has)
	}
}
