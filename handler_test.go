package muster_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// office is a group with handlers only, and the group it writes commands to.
type office struct {
	Group    *muster.Group
	Register *muster.CommandType[order, account]
	Created  *muster.EventType[moved]
	Failed   *muster.EventType[moved]

	Mail *muster.Group
	Send *muster.CommandType[order, muster.Raw]
}

func newOffice() *office {
	g, mail := muster.NewGroup("accounts", muster.Partitions(4)), muster.NewGroup("mail", muster.Partitions(2))
	return &office{
		Group: g, Mail: mail,
		Register: muster.NewCommand[order, account](g, "register"),
		Created:  muster.NewEvent[moved](g, "Created"),
		Failed:   muster.NewEvent[moved](g, "Failed"),
		Send:     muster.NewCommand[order, muster.Raw](mail, "send"),
	}
}

// handled is a world whose command "register" is handled by fn.
func (o *office) handled(t *testing.T, fn func(ctx context.Context, cmd *muster.Command, in order, w muster.Writer) (account, error)) *world {
	t.Helper()
	return newWorld(t, muster.HandleCommand(o.Register, fn).Behaviour())
}

func childIDs(d *muster.Decision) (ids []string) {
	for i := range d.Commands {
		ids = append(ids, d.Commands[i].Command.ID)
	}
	return ids
}

// What a handler writes is one decision: events with revisions, commands with derived ids that inherit, the answer. A repeat gets the
// answer and writes nothing, and so does one after the store is lost.
func TestHandlerTakesEffectOnce(t *testing.T) {
	o, runs := newOffice(), 0
	w := o.handled(t, func(_ context.Context, cmd *muster.Command, in order, w muster.Writer) (account, error) {
		runs++
		return account{Balance: in.Amount}, errors.Join(
			o.Created.Write(w, moved{Text: cmd.AggregateID}), w.Event("Noted", moved{Amount: 1}),
			o.Send.Write(w, "box-1", order{Text: "hello"}), o.Send.Write(w, "box-1", order{Text: "again"}),
		)
	})
	first := command("register", "u-1", "c1", order{Amount: 7})
	first.Headers, first.CorrelationID, first.TraceParent = muster.Headers{{Key: "tenant", Value: []byte("t")}}, "talk", "00-a-b-01"
	first.Deadline = w.now.Add(3_000_000_000)
	f := w.do(first)
	if got := decoded(t, f.outcome(t, "c1", 0)); got.Balance != 7 || f.outcome(t, "c1", 0).Revision != 2 {
		t.Errorf("answer %+v at revision %d", got, f.outcome(t, "c1", 0).Revision)
	}
	if len(f.decision.Events) != 2 || f.decision.Events[1].Revision != 2 || f.decision.Events[1].Type != "Noted" {
		t.Errorf("events %+v", f.decision.Events)
	}
	if len(f.decision.Commands) != 2 {
		t.Fatalf("%d commands written, want 2", len(f.decision.Commands))
	}
	for i, one := range f.decision.Commands {
		c := one.Command
		header, _ := c.Headers.Get("tenant")
		if one.Group != o.Mail || one.Origin != first.Partition || c.Type != "send" || c.Group != "mail" || c.AggregateID != "box-1" ||
			c.CausationID != "c1" || c.CorrelationID != "talk" || c.TraceParent != "00-a-b-01" || string(header) != "t" ||
			!c.Deadline.Equal(first.Deadline) || c.Hops != 1 || len(c.Path) != 0 || !c.Time.Equal(w.now) || c.ReplyTo.Topic != "" {
			t.Errorf("command %d: %+v", i, one)
		}
	}
	if ids := childIDs(f.decision); ids[0] == ids[1] {
		t.Errorf("two written commands have the same id %s", ids[0])
	}
	for name, before := range map[string]func(){"in a later batch": func() {}, "after a restart": w.restart, "with a lost store": func() { w.rebuild(1) }} {
		before()
		again := w.do(command("register", "u-1", "c1", order{Amount: 7}))
		got := again.outcome(t, "c1", 0)
		if decoded(t, got).Balance != 7 || !got.Repeated || got.Revision != 2 || len(again.decision.Events)+len(again.decision.Commands) != 0 {
			t.Errorf("%s: %+v, %+v", name, got, again.decision)
		}
	}
	if runs != 1 {
		t.Errorf("the handler ran %d times", runs)
	}
}

// After an aborted transaction the handler runs again and makes the same ids, in events and in commands.
func TestAbortedHandlerMakesTheSameIDs(t *testing.T) {
	o, runs := newOffice(), 0
	w := o.handled(t, func(_ context.Context, cmd *muster.Command, _ order, w muster.Writer) (account, error) {
		if runs++; cmd.Attempt != runs {
			t.Errorf("run %d is attempt %d", runs, cmd.Attempt)
		}
		for n := range 3 {
			if err := o.Send.Write(w, fmt.Sprint("box-", n%2), order{}); err != nil {
				t.Error(err)
			}
		}
		return account{}, o.Created.Write(w, moved{})
	})
	batch := w.batch(command("register", "u-1", "c1", order{}))
	round, one := w.decide(batch, nil)
	events, ids := slices.Clone(one.Events), childIDs(one)
	round.Abort()
	batch.Attempt++
	round, two := w.decide(batch, nil)
	if !sameEvents(events, two.Events) || !slices.Equal(ids, childIDs(two)) || len(ids) != 3 {
		t.Errorf("first %v, then %v", ids, childIDs(two))
	}
	w.commit(round, two)
	other := w.do(command("register", "u-2", "c1", order{})).decision // the same id on another aggregate is another command
	if slices.ContainsFunc(childIDs(other), func(id string) bool { return slices.Contains(ids, id) }) {
		t.Errorf("commands of two aggregates share ids: %v, %v", ids, childIDs(other))
	}
}

// An error event is in the journal, and the caller gets the refusal, now and for every repeat.
func TestErrorEventIsCommittedAndRefuses(t *testing.T) {
	o := newOffice()
	w := o.handled(t, func(_ context.Context, _ *muster.Command, _ order, w muster.Writer) (account, error) {
		refusal := muster.Errorf(muster.AlreadyExists, "taken")
		refusal.Retry = true
		return account{}, errors.Join(o.Failed.WriteError(w, moved{Text: "taken"}, refusal), w.ErrorEvent("Failed", moved{}, nil))
	})
	f := w.do(command("register", "u-1", "c1", order{}))
	if len(f.decision.Events) != 2 || len(f.decision.Dead) != 0 {
		t.Fatalf("decision %+v", f.decision)
	}
	w.rebuild(2)
	for _, got := range []*muster.Outcome{f.outcome(t, "c1", 0), w.do(command("register", "u-1", "c1", order{})).outcome(t, "c1", 0)} {
		if got.Code != muster.AlreadyExists || got.Message != "taken" || got.Retry || got.Revision != 2 || got.Payload != nil {
			t.Errorf("outcome %+v", got)
		}
	}
}

// Refused, panicked, at fault: nothing of what was written before is committed.
func TestHandlerThatFailsWritesNothing(t *testing.T) {
	o, stranger := newOffice(), muster.NewEvent[moved](muster.NewGroup("elsewhere"), "Moved")
	ask := muster.NewQuery[order, account](o.Mail, "ask")
	fails := map[string]struct {
		fn     func(w muster.Writer) error
		reason string
		dead   bool
	}{
		"refuses":           {func(muster.Writer) error { return muster.Errorf(muster.NotFound, "no") }, "", false},
		"panics":            {func(muster.Writer) error { panic("secret") }, muster.ReasonPanic, true},
		"foreign event":     {func(w muster.Writer) error { return stranger.Write(w, moved{}) }, muster.ReasonForeignEvent, true},
		"ignores the error": {func(w muster.Writer) error { _ = stranger.Write(w, moved{}); return nil }, muster.ReasonForeignEvent, true},
		"wraps the error":   {func(w muster.Writer) error { return fmt.Errorf("w: %w", stranger.Write(w, moved{})) }, muster.ReasonForeignEvent, true},
		"bad event name":    {func(w muster.Writer) error { return w.Event("", moved{}) }, muster.ReasonBadType, true},
		"command as event":  {func(w muster.Writer) error { return w.Event("register", moved{}) }, muster.ReasonBadType, true},
		"unencodable":       {func(w muster.Writer) error { return w.Event("Noted", func() {}) }, muster.ReasonBadResult, true},
		"unencodable reply": {func(w muster.Writer) error { return w.Reply(func() {}) }, muster.ReasonBadResult, true},
		"query":             {func(w muster.Writer) error { return w.Command(o.Mail, ask.Name(), "b", order{}) }, muster.ReasonBadType, true},
		"no group":          {func(w muster.Writer) error { return w.Command(nil, "send", "b", order{}) }, muster.ReasonBadType, true},
		"bad id":            {func(w muster.Writer) error { return o.Send.Write(w, "", order{}) }, muster.ReasonBadID, true},
		"waits":             {func(w muster.Writer) error { return o.Send.Write(w, "b", order{}, muster.ReceiptTo(&muster.Receipt{})) }, muster.ReasonBadOption, true},
		"large command": {func(w muster.Writer) error {
			return o.Send.Write(w, "b", order{Text: strings.Repeat("x", muster.MaxPayload)})
		}, muster.ReasonTooLarge, true},
		"many commands": {func(w muster.Writer) (err error) {
			for range muster.MaxCommands + 1 {
				err = o.Send.Write(w, "b", order{})
			}
			return err
		}, muster.ReasonTooManyCommands, true},
		"many bytes": {func(w muster.Writer) (err error) {
			for range 6 {
				err = o.Send.Write(w, "b", order{Text: strings.Repeat("x", muster.MaxPayload-100)})
			}
			return err
		}, muster.ReasonEventsTooBig, true},
	}
	for name, c := range fails {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, o.Group.HandleFunc("register", func(_ context.Context, _ *muster.Command, w muster.Writer) error {
				if err := errors.Join(o.Created.Write(w, moved{}), o.Send.Write(w, "box", order{}), w.Reply(account{})); err != nil {
					t.Error(err)
				}
				return c.fn(w)
			}).Behaviour())
			f := w.do(command("register", "u-1", "c1", order{}))
			got := f.outcome(t, "c1", 0)
			if got.Code == muster.OK || got.Reason != c.reason || strings.Contains(got.Message, "secret") {
				t.Errorf("outcome %s %s %q", got.Code, got.Reason, got.Message)
			}
			if len(f.decision.Events)+len(f.decision.Commands) != 0 || (len(f.decision.Dead) == 1) != c.dead {
				t.Errorf("%d events, %d commands, %d dead letters", len(f.decision.Events), len(f.decision.Commands), len(f.decision.Dead))
			}
			if stored, _ := w.store.Load(0, "u-1"); stored.Revision != 0 {
				t.Errorf("revision %d is stored", stored.Revision)
			}
		})
	}
}

// The catch-all takes what nobody else handles; a declared query is not among it.
func TestCatchAll(t *testing.T) {
	o := newOffice()
	ask := muster.NewQuery[order, account](o.Group, "ask")
	named := o.Group.Handle("other", muster.HandlerFunc(func(_ context.Context, _ *muster.Command, w muster.Writer) error { return w.Reply("named") }))
	rest := o.Group.CatchAll(func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		return w.Reply("rest " + cmd.Type)
	})
	w := newWorld(t, muster.Merge(rest.Behaviour(), named.Behaviour()))
	f := w.do(command("other", "u-1", "c1", order{}), command("register", "u-1", "c2", order{}), command("who knows", "u-1", "c3", order{}),
		command(ask.Name(), "u-1", "q1", order{}))
	for id, want := range map[string]string{"c1": `"named"`, "c2": `"rest register"`, "c3": `"rest who knows"`} {
		if got := f.outcome(t, id, 0); got.Code != muster.OK || string(got.Payload) != want {
			t.Errorf("%s: %s %s", id, got.Code, got.Payload)
		}
	}
	if got := f.outcome(t, "q1", 0); got.Code != muster.Unimplemented {
		t.Errorf("the query: %s %s", got.Code, got.Payload)
	}
	if rest.Behaviour().Validate() != nil || named.Group() != o.Group {
		t.Error("merging changed a part")
	}
}

// What does not go together is told, all of it.
func TestPartsThatDoNotGoTogether(t *testing.T) {
	o, b := newOffice(), newBank()
	nothing := func(context.Context, *muster.Command, muster.Writer) error { return nil }
	typed := muster.HandleCommand(o.Register, func(context.Context, *muster.Command, order, muster.Writer) (account, error) { return account{}, nil })
	state := func() int { return 0 }
	for name, c := range map[string]struct {
		parts []*muster.Behaviour
		want  []string
	}{
		"handlers": {
			[]*muster.Behaviour{typed.Behaviour(), o.Group.HandleFunc("register", nothing).Behaviour(), o.Group.HandleFunc("x", nil).Behaviour(), o.Group.HandleFunc("", nothing).Behaviour()},
			[]string{`"register" has two handlers`, `"x" has a nil handler`, "type is missing"},
		},
		"rests":      {[]*muster.Behaviour{o.Group.CatchAll(nothing).Behaviour(), o.Group.CatchAll(nothing).Behaviour(), o.Group.CatchAll(nil).Behaviour()}, []string{"two catch-alls", "catch-all is nil"}},
		"kinds":      {[]*muster.Behaviour{o.Group.HandleFunc("Created", nothing).Behaviour()}, []string{`"Created" is declared as an event`}},
		"decided":    {[]*muster.Behaviour{b.Group.HandleFunc("deposit", nothing).Behaviour(), b.Account.Behaviour()}, []string{`"deposit" has two handlers`}},
		"answered":   {[]*muster.Behaviour{b.Group.HandleFunc("balance", nothing).Behaviour(), b.Account.Behaviour()}, []string{`"balance" is declared as a query`, `"balance" has two handlers`}},
		"aggregates": {[]*muster.Behaviour{muster.NewAggregate(o.Mail, state).Behaviour(), muster.NewAggregate(o.Mail, state).Behaviour()}, []string{"owned by two parts"}},
		"contracts":  {[]*muster.Behaviour{typed.Behaviour(), b.Account.Behaviour()}, []string{"contracts of their own"}},
	} {
		err := muster.Merge(c.parts[0], c.parts[1:]...).Validate()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: the error does not say %q:\n%v", name, want, err)
			}
		}
	}
	if err := muster.Merge(b.Account.Behaviour(), b.Group.CatchAll(nothing).Behaviour(), b.Group.HandleFunc("more", nothing).Behaviour()).Validate(); err != nil {
		t.Errorf("what goes together: %v", err)
	}
}

// A handler beside an aggregate: its events are folded into the state that decide functions see, in the order of the log.
func TestHandlerBesideAnAggregate(t *testing.T) {
	b := newBank()
	gift := b.Group.HandleFunc("gift", func(_ context.Context, cmd *muster.Command, w muster.Writer) error {
		if cmd.Revision != 2 {
			t.Errorf("the handler sees revision %d, want 2", cmd.Revision)
		}
		return b.Credited.Write(w, moved{Amount: 100})
	})
	unknown := b.Group.HandleFunc("unknown", func(_ context.Context, _ *muster.Command, w muster.Writer) error { return w.Event("Nobody", moved{}) })
	w := newWorld(t, muster.Merge(gift.Behaviour(), b.Account.Behaviour(), unknown.Behaviour()))
	expects := command("gift", "acc-1", "c4", order{})
	expects.Expected = muster.ExactRevision(1)
	f := w.do(command("open", "acc-1", "c1", order{}), command("deposit", "acc-1", "c2", order{Amount: 1}), command("gift", "acc-1", "c3", order{}),
		expects, command("unknown", "acc-1", "c5", order{}), command("withdraw", "acc-1", "c6", order{Amount: 101}))
	if got := decoded(t, f.outcome(t, "c6", 0)); got.Balance != 0 || got.Entries != 4 {
		t.Errorf("after the handler: %+v", got)
	}
	if got := f.outcome(t, "c4", 0); got.Reason != muster.ReasonConflict {
		t.Errorf("expected revision: %+v", got)
	}
	if got := f.outcome(t, "c5", 0); got.Reason != muster.ReasonForeignEvent {
		t.Errorf("an event without evolve: %+v", got)
	}
}

// A group that gets an aggregate after it had handlers only does not take the stored marks for states.
func TestHandlersThenAnAggregate(t *testing.T) {
	b := newBank()
	w := newWorld(t, b.Group.HandleFunc("gift", func(_ context.Context, _ *muster.Command, w muster.Writer) error {
		return b.Credited.Write(w, moved{Amount: 5})
	}).Behaviour())
	w.do(command("gift", "acc-1", "c1", order{}), command("gift", "acc-1", "c2", order{}))
	w.behaviour = b.Account.Behaviour()
	w.restart()
	batch := w.batch(command("balance", "acc-1", "q1", order{}))
	round, err := w.p.Begin(batch, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.run(round.Slice(1))
	if fault, ok := errors.AsType[*muster.StateFault](round.Err()); !ok || fault.AggregateID != "acc-1" {
		t.Fatalf("the mark was read as a state: %v", round.Err())
	}
	round.Abort()
	w.rebuild(1)
	if got := decoded(t, w.do(command("balance", "acc-1", "q1", order{})).outcome(t, "q1", 0)); got.Balance != 10 || got.Entries != 2 {
		t.Errorf("rebuilt state %+v", got)
	}
}
