package muster_test

import (
	"context"
	"errors"
	"slices"

	"github.com/seed-3eec0498/muster"
)

// behaviour is the account with stateless handlers beside it, each for one way they can end.
func (b *bank) behaviour() *muster.Behaviour {
	till := muster.NewGroup("till", muster.Partitions(2))
	pay := muster.NewCommand[order, muster.Raw](till, "pay")
	handle := func(name string, fn func(cmd *muster.Command, in order, w muster.Writer) (account, error)) *muster.Behaviour {
		c := muster.NewCommand[order, account](b.Group, name)
		return muster.HandleCommand(c, func(_ context.Context, cmd *muster.Command, in order, w muster.Writer) (account, error) {
			return fn(cmd, in, w)
		}).Behaviour()
	}
	return muster.Merge(b.Account.Behaviour(),
		handle("transfer", func(_ *muster.Command, in order, w muster.Writer) (account, error) {
			return account{Notes: []string{"on its way"}}, errors.Join(b.Debited.Write(w, moved{Amount: in.Amount}), pay.Write(w, "to-"+in.Text, order{Amount: in.Amount}))
		}),
		handle("notify", func(_ *muster.Command, in order, w muster.Writer) (account, error) { // no event: only commands
			var err error
			for range in.Times {
				err = errors.Join(err, pay.Write(w, "box", order{}))
			}
			return account{}, err
		}),
		handle("reject", func(_ *muster.Command, in order, w muster.Writer) (account, error) {
			return account{}, errors.Join(b.Noted.WriteError(w, moved{Text: "rejected"}, muster.Errorf(muster.PermissionDenied, "rejected")), pay.Write(w, "box", order{}))
		}),
		handle("stumble", func(_ *muster.Command, in order, w muster.Writer) (account, error) {
			if err := errors.Join(b.Credited.Write(w, moved{Amount: in.Amount}), pay.Write(w, "box", order{})); err != nil {
				return account{}, err
			}
			panic("secret " + in.Text)
		}))
}

// sameCommands tells whether two decisions write the same commands in the same order.
func sameCommands(a, b []muster.Written) bool {
	return slices.EqualFunc(a, b, func(x, y muster.Written) bool {
		return x.Group.Name() == y.Group.Name() && x.Origin == y.Origin && x.Command.ID == y.Command.ID && x.Command.Type == y.Command.Type &&
			x.Command.AggregateID == y.Command.AggregateID && string(x.Command.Payload) == string(y.Command.Payload)
	})
}
