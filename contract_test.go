package muster_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
)

func nothing[S, In, Out any](context.Context, *muster.Root[S], In) (out Out, err error) {
	return out, nil
}

// wants checks that an error tells all of the parts: whoever opens a service must not find the faults one by one.
func wants(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q:\n%v", part, err)
		}
	}
}

func TestContractFaultsAreReportedAtOnce(t *testing.T) {
	g := muster.NewGroup("bad group", muster.Partitions(0), muster.CommandRetention(time.Second))
	open := muster.NewCommand[order, account](g, "open")
	muster.NewCommand[order, account](g, "open")
	muster.NewEvent[moved](g, "balance")
	balance := muster.NewQuery[order, account](g, "balance")
	muster.NewCommand[order, account](g, "")
	muster.NewCommand[order, account](g, strings.Repeat("x", 201))
	muster.NewCommand[order, account](g, "with\nnewline")
	muster.NewCommand[chan int, account](g, "channel")
	muster.NewCommand[order, error](g, "interface")
	muster.NewEvent[func()](g, "function")
	muster.NewEvent[wrapperspb.StringValue](g, "by-value")
	muster.NewEvent[proto.Message](g, "any-message")
	muster.NewQuery[order, any](g, "anything")
	moved1 := muster.NewEvent[moved](g, "Moved")
	a := muster.NewAggregate[account](g, nil)
	muster.Decide(a, open, nothing[account, order, account])
	muster.Decide(a, open, nothing[account, order, account])
	muster.Answer(a, balance, func(context.Context, muster.State[account], order) (account, error) { return account{}, nil })
	muster.Answer(a, balance, func(context.Context, muster.State[account], order) (account, error) { return account{}, nil })
	evolve := func(s account, _ moved) account { return s }
	muster.Evolve(a, moved1, evolve)
	muster.Evolve(a, moved1, evolve)
	other := muster.NewGroup("other")
	muster.Decide(a, muster.NewCommand[order, account](other, "theirs"), nothing[account, order, account])
	muster.Evolve(a, muster.NewEvent[moved](other, "Theirs"), evolve)
	wants(t, a.Behaviour().Validate(),
		`"bad group"`, "0 partitions", "retention",
		`"open" is used twice`, `"balance" is used twice`,
		"type is missing", "201 bytes", "unprintable",
		"chan int", "error is an interface", "func()", "*wrapperspb.StringValue", "Message is an interface", `query "anything"`,
		"NewAggregate needs a function",
		`command "open" has two handlers`, `query "balance" has two handlers`, `event "Moved" has two evolve functions`,
		`command "theirs" belongs to group "other"`, `event "Theirs" belongs to group "other"`,
		`event "by-value" has no evolve function`, `event "function" has no evolve function`)
	if err := g.Validate(); err == nil || strings.Contains(err.Error(), "evolve") {
		t.Errorf("the group's own faults: %v", err)
	}
}

func TestCommandWithADecideAndAnAnswer(t *testing.T) {
	g := muster.NewGroup("one")
	a := muster.NewAggregate(g, func() account { return account{} })
	muster.Decide(a, muster.NewCommand[order, account](g, "both"), nothing[account, order, account])
	muster.Answer(a, muster.NewQuery[order, account](g, "both"), func(context.Context, muster.State[account], order) (account, error) { return account{}, nil })
	wants(t, a.Behaviour().Validate(), `"both" is used twice`, `"both" has two handlers`)
}

func TestStateMustBeEncodable(t *testing.T) {
	wants(t, muster.NewAggregate(muster.NewGroup("one"), func() any { return nil }).Behaviour().Validate(), "state", "interface")
	wants(t, muster.NewAggregate(muster.NewGroup("one"), func() chan int { return nil }).Behaviour().Validate(), "state", "chan int")
}

// A handler that is nil is a mistake like a missing one: it shows at Open, not as a panic of every command.
func TestNilHandlersAreFaults(t *testing.T) {
	g := muster.NewGroup("one")
	a := muster.NewAggregate(g, func() account { return account{} })
	muster.Decide(a, muster.NewCommand[order, account](g, "do"), nil)
	muster.Answer(a, muster.NewQuery[order, account](g, "ask"), nil)
	muster.Evolve(a, muster.NewEvent[moved](g, "Done"), nil)
	wants(t, a.Behaviour().Validate(), `"do"`, `"ask"`, `"Done"`)
}

func TestGroupSettings(t *testing.T) {
	g := muster.NewGroup("accounts")
	if g.Partitions() != 12 || g.Policy() != muster.KeepAll || g.CommandRetention() != 7*24*time.Hour || g.DeadLetterRetention() != 30*24*time.Hour || g.Validate() != nil {
		t.Errorf("defaults: %d partitions, %v, %s, %s, %v", g.Partitions(), g.Policy(), g.CommandRetention(), g.DeadLetterRetention(), g.Validate())
	}
	g = muster.NewGroup("a", muster.Partitions(10_000), muster.Journal(muster.KeepLatest), muster.CommandRetention(time.Hour), muster.DeadLetterRetention(time.Minute))
	if g.Partitions() != 10_000 || g.Policy() != muster.KeepLatest || g.CommandRetention() != time.Hour || g.DeadLetterRetention() != time.Minute || g.Validate() != nil {
		t.Errorf("settings: %+v, %v", g, g.Validate())
	}
	for got, want := range map[string]string{
		g.CommandTopic("stage-"): "stage-a.commands", g.JournalTopic(""): "a.events", g.SnapshotTopic("x."): "x.a.snapshots",
		g.DeadLetterTopic(""): "a.dead", muster.ReplyTopic("", "web"): "replies.web", muster.ReplyTopic("t1.", "web"): "t1.replies.web",
	} {
		if got != want {
			t.Errorf("topic %q, want %q", got, want)
		}
	}
}

func TestGroupFaults(t *testing.T) {
	for name, g := range map[string]*muster.Group{
		"no name":               muster.NewGroup(""),
		"slash":                 muster.NewGroup("a/b"),
		"dot first":             muster.NewGroup(".a"),
		"too long":              muster.NewGroup(strings.Repeat("a", 151)),
		"newline":               muster.NewGroup("a\n"),
		"negative partitions":   muster.NewGroup("a", muster.Partitions(-1)),
		"too many partitions":   muster.NewGroup("a", muster.Partitions(10_001)),
		"partitions beyond 32b": muster.NewGroup("a", muster.Partitions(1<<32+1)),
		"unknown policy":        muster.NewGroup("a", muster.Journal(7)),
		"dead retention":        muster.NewGroup("a", muster.DeadLetterRetention(0)),
		// its topics would pass for reply topics, into which an owner writes what outsiders ask for
		"name of replies": muster.NewGroup("replies.web"),
	} {
		if g.Validate() == nil {
			t.Errorf("%s: no fault", name)
		}
	}
	if err := muster.NewGroup("Bank-2.accounts_eu").Validate(); err != nil {
		t.Errorf("a sound name: %v", err)
	}
}

// A command without a handler is no fault of the contract: callers may be newer than the owner, who answers Unimplemented.
func TestCommandWithoutHandlerIsNoFault(t *testing.T) {
	g := muster.NewGroup("one")
	muster.NewCommand[order, account](g, "later")
	if err := muster.NewAggregate(g, func() account { return account{} }).Behaviour().Validate(); err != nil {
		t.Error(err)
	}
}

func TestContractValuesTellWhatTheyAre(t *testing.T) {
	b := newBank()
	if b.Deposit.Name() != "deposit" || b.Balance.Name() != "balance" || b.Credited.Name() != "Credited" || b.Group.Name() != "accounts" {
		t.Errorf("names: %s, %s, %s, %s", b.Deposit.Name(), b.Balance.Name(), b.Credited.Name(), b.Group.Name())
	}
	for name, g := range map[string]*muster.Group{
		"command": b.Deposit.Group(), "query": b.Balance.Group(), "event": b.Credited.Group(), "aggregate": b.Account.Group(), "behaviour": b.Account.Behaviour().Group(),
	} {
		if g != b.Group {
			t.Errorf("%s: another group", name)
		}
	}
}
