// Quickstart is the smallest complete program: a broker in the process, one aggregate, two calls that succeed and one that is refused.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/service"
)

type (
	account struct{ Balance int64 } // the state, and the answer
	booking struct{ Amount int64 }  // what the command and the event carry
)

var ( // the contract: owner and callers share it
	accounts = muster.NewGroup("accounts", muster.Partitions(3))
	book     = muster.NewCommand[booking, account](accounts, "bank.Book")
	booked   = muster.NewEvent[booking](accounts, "bank.Booked")
)

func Run(ctx context.Context, dir string) error {
	broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{})
	if err != nil {
		return err
	}
	defer broker.Close()
	owner := muster.NewAggregate(accounts, func() account { return account{} })
	muster.Decide(owner, book, func(_ context.Context, r *muster.Root[account], in booking) (account, error) {
		if r.State().Balance+in.Amount < 0 {
			return account{}, muster.Errorf(muster.FailedPrecondition, "account %s holds only %d", r.ID(), r.State().Balance)
		}
		booked.Emit(r, in) // folded at once: r.State() is the new state
		return r.State(), nil
	})
	muster.Evolve(owner, booked, func(s account, e booking) account { return account{s.Balance + e.Amount} })
	svc, err := service.Open(ctx, service.Config{Name: "bank", Brokers: broker.Brokers(), DataDir: dir}, owner)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(ctx) }()
	for _, amount := range []int64{250, -100, -500} {
		acc, err := book.Call(ctx, svc.Client(), "acc-1", booking{amount})
		fmt.Printf("%d: balance %d, error %v\n", amount, acc.Balance, err)
	}
	stop()
	return <-ended
}

func main() {
	dir, err := os.MkdirTemp("", "quickstart-")
	if err = errors.Join(err, Run(context.Background(), dir), os.RemoveAll(dir)); err != nil {
		panic(err)
	}
}
