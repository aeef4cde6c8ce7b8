package sqldb_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
	"github.com/seed-3eec0498/muster/service"
)

type amount struct {
	Cents int64 `json:"cents"`
}

var (
	accounts = muster.NewGroup("accounts", muster.Partitions(2))
	deposit  = muster.NewCommand[amount, amount](accounts, "bank.Deposit")
	paid     = muster.NewEvent[amount](accounts, "bank.Paid")
)

// A service owns accounts, and keeps a table of their balances in SQLite. The call waits until the table has what it wrote.
func Example() {
	ctx := context.Background()
	broker, err := embedded.Start(ctx, embedded.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer broker.Close()
	dir, err := os.MkdirTemp("", "bank")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "balances.db")+"?_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer db.Close()
	if _, err := db.ExecContext(ctx, "create table balances (account text primary key, cents int)"); err != nil {
		fmt.Println(err)
		return
	}

	account := muster.NewAggregate(accounts, func() amount { return amount{} })
	muster.Decide(account, deposit, func(_ context.Context, a *muster.Root[amount], in amount) (amount, error) {
		paid.Emit(a, in)
		return a.State(), nil
	})
	muster.Evolve(account, paid, func(s, e amount) amount { return amount{s.Cents + e.Cents} })

	balances := sqldb.New("balances", db, sqldb.SQLite())
	projector.On(balances, paid, func(ctx context.Context, tx *sqldb.Tx, e amount, m muster.Meta) error {
		_, err := tx.ExecContext(ctx, `insert into balances values (?, ?) on conflict (account) do update set cents = cents + excluded.cents`, m.AggregateID, e.Cents)
		return err
	})

	svc, err := service.Open(ctx, service.Config{Name: "bank", Brokers: broker.Brokers(), DataDir: dir}, account, balances)
	if err != nil {
		fmt.Println(err)
		return
	}
	running, finish := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- svc.Run(running) }()

	for range 3 {
		if _, err := deposit.Call(ctx, svc.Client(), "acc-1", amount{250}, muster.WaitFor(balances), muster.Timeout(30*time.Second)); err != nil {
			fmt.Println(err)
		}
	}
	var cents int64
	err = db.QueryRowContext(ctx, "select cents from balances where account = 'acc-1'").Scan(&cents)
	fmt.Println(cents, err)
	finish()
	fmt.Println(<-ended)
	// Output:
	// 750 <nil>
	// <nil>
}
