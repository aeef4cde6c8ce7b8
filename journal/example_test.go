package journal_test

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/journal"
)

// An owner opens the store of its process, then its group, then each partition it is assigned.
func Example() {
	store, err := journal.Open(journal.Config{}) // in memory; set Dir to keep the state
	if err != nil {
		panic(err)
	}
	defer func() { _ = store.Close() }()
	bank := muster.NewGroup("bank")
	states, err := store.Group(bank, "", nil)
	if err != nil {
		panic(err)
	}
	at, err := states.Open(3)
	if err != nil {
		panic(err)
	}
	fmt.Println("fold the journal from offset", at.Next)

	// A transaction has been committed: its events lie at offsets 0 and 1.
	err = states.Store(context.Background(), []muster.Changes{{
		Partition: 3,
		States:    []muster.StoredState{{AggregateID: "acc-1", Revision: 2, Offset: 1, Data: []byte(`{"balance":250}`)}},
		Answers:   []muster.Remembered{{CommandID: "deposit-1", Revision: 2, Offset: 1, Outcome: []byte("done")}},
		Next:      2, LastEvent: "deposit-1/0", LastAt: 1, Time: time.Now(),
	}})
	if err != nil {
		panic(err)
	}

	state, err := states.Load(3, "acc-1")
	fmt.Println(state.Revision, string(state.Data), err)
	answer, again, err := states.Answered(3, "deposit-1")
	fmt.Println(again, string(answer.Outcome), err)
	// Output:
	// fold the journal from offset 0
	// 2 {"balance":250} <nil>
	// true done <nil>
}

// A partition that was revoked stays warm: when it comes back it goes on where it was.
func ExampleGroupStore_Release() {
	store, _ := journal.Open(journal.Config{})
	defer func() { _ = store.Close() }()
	states, _ := store.Group(muster.NewGroup("bank"), "", nil)
	_, _ = states.Open(0)
	_ = states.Store(context.Background(), []muster.Changes{{Partition: 0, Next: 42, Time: time.Now()}})

	states.Release(0)
	_, held := states.Checkpoint(0)
	at, _ := states.Open(0)
	fmt.Println(held, at.Next)

	states.Release(0)
	_ = states.Expire(context.Background(), time.Now().Add(time.Minute)) // the grace period is over
	at, _ = states.Open(0)
	fmt.Println(at.Next)
	// Output:
	// false 42
	// 0
}

// What cannot be trusted is dropped, and folded anew from the journal.
func ExampleGroupStore_Reset() {
	store, _ := journal.Open(journal.Config{Observe: journal.Observe{
		Rebuilt: func(r journal.Rebuilt) { fmt.Printf("%s[%d]: %s\n", r.Group, r.Partition, r.Reason) },
	}})
	defer func() { _ = store.Close() }()
	states, _ := store.Group(muster.NewGroup("bank"), "", nil)
	_, _ = states.Open(0)
	_ = states.Store(context.Background(), []muster.Changes{{Partition: 0, Next: 42, Time: time.Now()}})

	_ = states.Reset(0, "ahead-of-journal")
	at, _ := states.Checkpoint(0)
	fmt.Println(at.Next)
	// Output:
	// bank[0]: ahead-of-journal
	// 0
}
