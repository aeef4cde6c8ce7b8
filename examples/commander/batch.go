package main

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// batch is a user who is registered without anybody waiting.
type batch struct {
	website **website
	id      string
	in      signup.NewUser
	command string
	before  []muster.Position // the journal's end before the command was sent
}

// send returns when the command is durable; its outcome is not known then.
func (b *batch) send() stage.Step {
	return stage.NewStep("send", fmt.Sprintf("NewUser %s, %s", b.id, b.in.Email), func(ctx context.Context) (_ string, err error) {
		w := *b.website
		if b.before, err = w.JournalEnd(ctx, signup.Users); err != nil {
			return "", err
		}
		at, err := signup.Register.Send(ctx, w.Client(), b.id, b.in, muster.CommandID(b.command))
		return fmt.Sprintf("durable at %v", at), err
	})
}

// await waits for the event that the command leads to.
func (b *batch) await() stage.Step {
	return stage.NewStep("await", "UserCreated because of it", func(ctx context.Context) (string, error) {
		user, m, err := signup.Created.Await(ctx, *b.website, muster.After(b.before...), muster.CausedBy(b.command))
		if err == nil && (user.ID != b.id || m.Revision != 1) {
			err = fmt.Errorf("got %+v at revision %d, want user %s at revision 1", user, m.Revision, b.id)
		}
		actor, _ := m.Headers.Get(actorHeader)
		if err == nil && string(actor) != "website" {
			err = fmt.Errorf("the event's actor is %q; want the one of its command", actor)
		}
		return fmt.Sprintf("event %s of actor %s at %v", m.ID, actor, m.Position()), err
	})
}
