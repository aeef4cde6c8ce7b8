package projector_test

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// A view of balances, kept per account, with an index by owner and a counter over all accounts. A service runs it and is its [projector.Reader]; here a
// store alone stands in for both.
func ExampleNewView() {
	accounts := muster.NewGroup("accounts", muster.Partitions(1))
	opened := muster.NewEvent[struct{ Owner string }](accounts, "bank.Opened")

	type row struct {
		Owner   string
		Balance int64
	}
	balances := projector.NewView[row]("balances")
	projector.Index(balances, "by-owner", func(_ string, r row) []string { return []string{r.Owner} })
	projector.On(balances, opened, func(_ context.Context, rows *projector.Rows[row], e struct{ Owner string }, m muster.Meta) error {
		if err := rows.Add("accounts", 1); err != nil {
			return err
		}
		return rows.Put(m.AggregateID, row{Owner: e.Owner})
	})

	ctx := context.Background()
	store, err := projector.OpenStore(projector.StoreConfig{Views: []projector.AnyView{balances}}) // in memory
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = store.Close() }()
	shard := balances.Shards("")[0]
	holding, err := store.Claim(ctx, shard)
	if err != nil {
		fmt.Println(err)
		return
	}
	batch, err := holding.Begin(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, id := range []string{"acc-1", "acc-2"} {
		_ = balances.Hand(batch.Tx()).Put(id, row{Owner: "ann"})
		_ = balances.Hand(batch.Tx()).Add("accounts", 1)
	}
	if err := batch.Commit(ctx, projector.Change{}); err != nil {
		fmt.Println(err)
		return
	}

	page, err := balances.ByIndex(ctx, store, "by-owner", "ann")
	fmt.Println(len(page.Rows), page.Rows[0].Key, err)
	n, err := balances.Count(ctx, store, "accounts")
	fmt.Println(n, err)
	_, err = balances.Get(ctx, store, "acc-9")
	fmt.Println(muster.CodeOf(err), err)
	// Output:
	// 2 acc-1 <nil>
	// 2 <nil>
	// NOT_FOUND NOT_FOUND: view balances@1 has no row "acc-9"
}
