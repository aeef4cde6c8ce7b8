package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/sqldb"
)

// books is a service that owns nothing: it keeps the list of balances and the statements, made from the journal.
type books struct {
	*stage.Running
	balances  *projector.View[*bankpb.Account]
	statement *sqldb.Projection
	db        *sql.DB
}

func openBooks(ctx context.Context, set settings, dir string) (_ *books, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b := &books{balances: newBalances(nil)}
	if b.db, err = openLedger(ctx, filepath.Join(dir, "statement.db")); err != nil {
		return nil, err
	}
	b.statement = newLedger(b.db)
	cfg := set.service("books")
	cfg.DataDir = dir
	if b.Running, err = stage.Start(ctx, cfg, b.balances, b.statement); err != nil {
		return nil, errors.Join(err, b.db.Close())
	}
	return b, nil
}

// Stop ends the service, and then the database.
func (b *books) Stop() error { return errors.Join(b.Running.Stop(), b.db.Close()) }

// keep starts the books, which have all that happened before.
func (s *story) keep(dir string) stage.Step {
	return stage.NewStep("books", "balances in a view, statements in SQLite", func(ctx context.Context) (_ string, err error) {
		s.books, err = openBooks(ctx, s.set, dir)
		return "made from the journal; no owner is asked", err
	})
}

// depositAndList deposits, and reads the list at once: the call has waited for it.
func (s *story) depositAndList(id, holder string, amount int64, text string, balance int64) stage.Step {
	return stage.NewStep("deposit", fmt.Sprintf("%s, %s, wait for the books", id, money(amount)), func(ctx context.Context) (string, error) {
		in := &bankpb.DepositMoney{Amount: amount, Text: text}
		_, err := bank.Deposit.Call(ctx, s.books.Client(), id, in, muster.WaitFor(s.books.balances), muster.WaitFor(s.books.statement))
		if err != nil {
			return "", err
		}
		page, err := s.books.balances.ByIndex(ctx, s.books.Views(), byHolder, holder)
		if err != nil {
			return "", err
		}
		for _, row := range page.Rows {
			if row.Key == id && row.Value.GetBalance() == balance {
				return fmt.Sprintf("%9s  in the list at once", money(balance)), nil
			}
		}
		return "", fmt.Errorf("the list has %d accounts of the holder, want %s with %s among them", len(page.Rows), id, money(balance))
	})
}

// agree compares the total with the sum of all rows, from reads of their own: nobody moves money now.
func (s *story) agree() stage.Step {
	return stage.NewStep("list", "all balances, and their total", func(ctx context.Context) (string, error) {
		var sum int64
		for row, err := range s.books.balances.All(ctx, s.books.Views()) {
			if err != nil {
				return "", err
			}
			sum += row.Value.GetBalance()
			s.teller.Detail("%-14s %-8s %9s", row.Key, row.Value.GetHolder(), money(row.Value.GetBalance()))
		}
		total, err := s.books.balances.Count(ctx, s.books.Views(), totalName)
		if err == nil && total != sum {
			err = fmt.Errorf("the total is %s, and the balances are %s together", money(total), money(sum))
		}
		return fmt.Sprintf("%9s  together, as the total says", money(total)), err
	})
}

// printed compares the statement in SQL with the journal, line by line.
func (s *story) printed(id string) stage.Step {
	return stage.NewStep("statement", id+", from SQL", func(ctx context.Context) (string, error) {
		lines := 0
		for event, err := range s.books.History(ctx, bank.Accounts, id) {
			if err != nil {
				return "", err
			}
			want, err := read(s.books.PayloadCodec(), &event)
			if err != nil {
				return "", err
			}
			var amount int64
			var note string
			err = s.books.db.QueryRowContext(ctx, "select amount, note from statement where account = ? and revision = ?", id, event.Revision).Scan(&amount, &note)
			if err != nil {
				return "", fmt.Errorf("revision %d: %w", event.Revision, err)
			}
			if amount != want.amount || note != want.text {
				return "", fmt.Errorf("revision %d is %s, %q; want %s, %q", event.Revision, money(amount), note, money(want.amount), want.text)
			}
			lines++
		}
		var count int
		var sum int64
		err := s.books.db.QueryRowContext(ctx, "select count(*), sum(amount) from statement where account = ?", id).Scan(&count, &sum)
		if err == nil && count != lines {
			err = fmt.Errorf("%d lines, want %d", count, lines)
		}
		return fmt.Sprintf("%9s  in %d lines, as in the journal", money(sum), count), err
	})
}
