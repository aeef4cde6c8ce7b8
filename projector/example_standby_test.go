package projector_test

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// One other instance keeps a warm copy of each shard, and a journal that was made again stops the view until an operator looks at it.
func ExampleStandbys() {
	type credited struct{ Amount int64 }
	accounts := muster.NewGroup("accounts", muster.Partitions(12))
	event := muster.NewEvent[credited](accounts, "Credited")

	totals := projector.NewView[int64]("totals", projector.Standbys(1), projector.OnUnfit(projector.Stop))
	projector.On(totals, event, func(_ context.Context, rows *projector.Rows[int64], e credited, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(sum int64) int64 { return sum + e.Amount })
	})
	fmt.Println(totals.Validate(""), totals.Definition().Standbys())
	// Output: <nil> 1
}
