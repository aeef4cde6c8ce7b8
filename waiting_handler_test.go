package muster_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// A stateless handler that asks for another try leaves nothing of what it wrote, events and commands alike; what it writes at last counts once.
func TestHandlerThatAsksForAnotherTry(t *testing.T) {
	o := newOffice()
	var attempts []int
	w := o.handled(t, func(ctx context.Context, cmd *muster.Command, _ order, w muster.Writer) (account, error) {
		attempts = append(attempts, cmd.Attempt)
		err := errors.Join(o.Created.Write(w, moved{Text: "new"}), o.Send.Write(w, "post", order{Text: "welcome"}))
		if cmd.Attempt < 3 {
			err = errors.Join(err, muster.RetryLater(errors.New("the post is closed")))
		}
		return account{}, err
	})
	q := newQueue(w)
	q.send(command("register", "u-1", "c1", order{}), command("register", "u-1", "c1", order{}))
	q.step(9, 0)
	if len(w.journal.events[0]) != 0 || len(q.held) != 2 || q.retries != 1 {
		t.Fatalf("after the first try: %d events, %d waiting", len(w.journal.events[0]), len(q.held))
	}
	q.drain(9)
	if len(w.journal.events[0]) != 1 || q.commands != 1 || len(attempts) != 3 {
		t.Errorf("%d events, %d commands, attempts %v; want one event and one command in three", len(w.journal.events[0]), q.commands, attempts)
	}
	if got := q.replies["c1"]; len(got) != 2 || got[0].Code != muster.OK || got[0].Repeated || !got[1].Repeated {
		t.Errorf("answers %+v; want one, and one that repeats it: the same id stood behind", got)
	}
}
