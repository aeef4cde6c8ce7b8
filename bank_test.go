package muster_test

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/seed-3eec0498/muster"
)

// account is the state of the aggregates that most tests use.
type account struct {
	Balance float64  `json:"balance"`
	Entries int      `json:"entries"`
	Notes   []string `json:"notes,omitempty"`
}

// order is what every command of the bank carries; each uses what it needs.
type order struct {
	Amount float64 `json:"amount,omitempty"`
	Times  int     `json:"times,omitempty"`
	Text   string  `json:"text,omitempty"`
}

// moved is what every event of the bank carries.
type moved struct {
	Amount float64 `json:"amount,omitempty"`
	Text   string  `json:"text,omitempty"`
}

// bank is a contract and its behaviour. A test of its own sets Hook and sends the command Hooked.
type bank struct {
	Group   *muster.Group
	Open    *muster.CommandType[order, account]
	Deposit *muster.CommandType[order, account]
	Hooked  *muster.CommandType[order, account]
	Balance *muster.QueryType[order, account]

	Opened, Credited, Debited, Noted *muster.EventType[moved]

	Account *muster.Aggregate[account]
	Hook    func(ctx context.Context, root *muster.Root[account], in order) (account, error) // set before the first batch
}

// newBank makes the contract; a new one per test, because nothing of it is shared.
func newBank() *bank {
	g := muster.NewGroup("accounts", muster.Partitions(4))
	other := muster.NewEvent[moved](muster.NewGroup("elsewhere"), "elsewhere.Moved")
	b := &bank{
		Group:    g,
		Open:     muster.NewCommand[order, account](g, "open"),
		Deposit:  muster.NewCommand[order, account](g, "deposit"),
		Hooked:   muster.NewCommand[order, account](g, "hooked"),
		Balance:  muster.NewQuery[order, account](g, "balance"),
		Opened:   muster.NewEvent[moved](g, "Opened"),
		Credited: muster.NewEvent[moved](g, "Credited"),
		Debited:  muster.NewEvent[moved](g, "Debited"),
		Noted:    muster.NewEvent[moved](g, "Noted"),
	}
	a := muster.NewAggregate(g, func() account { return account{} })
	b.Account = a
	decide := func(c *muster.CommandType[order, account], fn func(root *muster.Root[account], in order) error) {
		muster.Decide(a, c, func(_ context.Context, root *muster.Root[account], in order) (account, error) {
			if err := fn(root, in); err != nil {
				return account{}, err
			}
			return root.State(), nil
		})
	}
	command := func(name string) *muster.CommandType[order, account] {
		return muster.NewCommand[order, account](g, name)
	}
	decide(b.Open, func(root *muster.Root[account], in order) error {
		if root.Revision() > 0 {
			return muster.Errorf(muster.AlreadyExists, "account %s exists", root.ID())
		}
		b.Opened.Emit(root, moved{Text: in.Text})
		return nil
	})
	decide(b.Deposit, func(root *muster.Root[account], in order) error {
		if root.Revision() == 0 {
			return muster.Errorf(muster.NotFound, "account %s does not exist", root.ID())
		}
		b.Credited.Emit(root, moved{Amount: in.Amount})
		return nil
	})
	decide(command("withdraw"), func(root *muster.Root[account], in order) error { // emits first, then looks: a refusal must roll back
		b.Debited.Emit(root, moved{Amount: in.Amount})
		if root.State().Balance < 0 {
			return muster.Errorf(muster.FailedPrecondition, "account %s would be overdrawn", root.ID())
		}
		return nil
	})
	decide(command("split"), func(root *muster.Root[account], in order) error {
		for range in.Times {
			b.Credited.Emit(root, moved{Amount: in.Amount, Text: in.Text})
		}
		return nil
	})
	decide(command("explode"), func(root *muster.Root[account], in order) error {
		b.Credited.Emit(root, moved{Amount: in.Amount})
		panic("secret " + in.Text)
	})
	muster.Decide(a, command("spoil"), func(_ context.Context, root *muster.Root[account], _ order) (account, error) {
		b.Noted.Emit(root, moved{Text: "spoiled"}) // its fold makes a state that JSON cannot hold
		return account{}, nil
	})
	decide(command("foreign"), func(root *muster.Root[account], in order) error {
		b.Credited.Emit(root, moved{Amount: in.Amount})
		other.Emit(root, moved{Amount: in.Amount})
		return nil
	})
	decide(command("busy"), func(root *muster.Root[account], _ order) error {
		b.Noted.Emit(root, moved{Text: "busy"})
		refusal := muster.Errorf(muster.Unavailable, "later")
		refusal.Retry = true
		return refusal
	})
	decide(command("look"), func(*muster.Root[account], order) error { return nil })
	huge := muster.NewCommand[order, muster.Raw](g, "huge") // answers with as many bytes as it is told
	muster.Decide(a, huge, func(_ context.Context, root *muster.Root[account], in order) (muster.Raw, error) {
		b.Noted.Emit(root, moved{Text: "huge"})
		return muster.Raw(strings.Repeat("x", in.Times)), nil
	})
	muster.Decide(a, b.Hooked, func(ctx context.Context, root *muster.Root[account], in order) (account, error) {
		return b.Hook(ctx, root, in)
	})
	muster.Answer(a, b.Balance, func(_ context.Context, s muster.State[account], in order) (account, error) {
		if in.Text == "panic" {
			panic("secret")
		}
		if s.Revision() == 0 {
			return account{}, muster.Errorf(muster.NotFound, "account %s does not exist", s.ID())
		}
		return s.Value(), nil
	})
	b.evolve()
	return b
}

func (b *bank) evolve() {
	fold := func(t *muster.EventType[moved], fn func(s *account, e moved)) {
		muster.Evolve(b.Account, t, func(s account, e moved) account {
			s.Entries++
			fn(&s, e)
			return s
		})
	}
	fold(b.Opened, func(s *account, e moved) { s.Notes = append(s.Notes, e.Text) })
	fold(b.Credited, func(s *account, e moved) { s.Balance += e.Amount })
	fold(b.Debited, func(s *account, e moved) { s.Balance -= e.Amount })
	fold(b.Noted, func(s *account, e moved) {
		if e.Text == "spoiled" {
			s.Balance = math.Inf(1)
		}
		if e.Text == "burst" {
			panic(fmt.Sprintf("secret %v", e))
		}
		if len(s.Notes) > 0 { // in place, as an Evolve may: a rollback must not see it
			s.Notes[0] = fmt.Sprint(s.Entries, " ", e.Text)
		}
	})
}
