package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

// ledger is the contract of the benchmarks: one command, one event with the same payload, a state as large as the payload and a counter in
// front, and the counter as the answer.
type ledger struct {
	group    *muster.Group
	record   *muster.CommandType[*wrapperspb.BytesValue, *wrapperspb.UInt64Value]
	recorded *muster.EventType[*wrapperspb.BytesValue]
}

const (
	commandName = "bench.Record"
	eventName   = "bench.Recorded"
)

func newLedger(name string) *ledger {
	g := muster.NewGroup(name, muster.Partitions(partitions))
	return &ledger{
		group:    g,
		record:   muster.NewCommand[*wrapperspb.BytesValue, *wrapperspb.UInt64Value](g, commandName),
		recorded: muster.NewEvent[*wrapperspb.BytesValue](g, eventName),
	}
}

// counterBytes is the counter in front of a state.
const counterBytes = 8

func (l *ledger) aggregate() *muster.Aggregate[*wrapperspb.BytesValue] {
	a := muster.NewAggregate(l.group, func() *wrapperspb.BytesValue { return &wrapperspb.BytesValue{} })
	type root = muster.Root[*wrapperspb.BytesValue]
	muster.Decide(a, l.record, func(_ context.Context, r *root, in *wrapperspb.BytesValue) (*wrapperspb.UInt64Value, error) {
		l.recorded.Emit(r, in)
		return wrapperspb.UInt64(binary.BigEndian.Uint64(r.State().Value)), nil
	})
	muster.Evolve(a, l.recorded, func(s, e *wrapperspb.BytesValue) *wrapperspb.BytesValue {
		if len(s.Value) != counterBytes+len(e.Value) {
			before := s.Value
			s.Value = make([]byte, counterBytes+len(e.Value))
			copy(s.Value[:counterBytes], before)
		}
		binary.BigEndian.PutUint64(s.Value, binary.BigEndian.Uint64(s.Value)+1)
		copy(s.Value[counterBytes:], e.Value)
		return s
	})
	return a
}

// account names an aggregate.
func account(n int) string { return fmt.Sprintf("acc-%07d", n) }

func accounts(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = account(i)
	}
	return all
}

// filling is the content of all payloads: random, so that compression does not make it vanish, and as long as asked for.
func filling(seed uint64, bytes int) []byte {
	random := rand.New(rand.NewPCG(seed, 1))
	all := make([]byte, bytes)
	for i := range all {
		all[i] = "abcdefghijklmnopqrstuvwxyz012345"[random.IntN(32)]
	}
	return all
}
