package muster_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/seed-3eec0498/muster"
)

// checkError holds an error of a call against what its caller can tell.
func checkError(t testing.TB, err error, code muster.Code, is error, retry bool) {
	t.Helper()
	e, ok := errors.AsType[*muster.Error](err)
	if !ok {
		t.Errorf("%v is no *muster.Error", err)
		return
	}
	if muster.CodeOf(err) != code || !errors.Is(err, is) || e.Retry != retry {
		t.Errorf("got %s, retry %v, %v; want %s, retry %v, %v", e.Code, e.Retry, err, code, retry, is)
	}
	for _, other := range []error{
		muster.ErrConflict, muster.ErrNoHandler, muster.ErrExpired, muster.ErrIDReused, muster.ErrOutcomeUnknown, muster.ErrShuttingDown, muster.ErrNotHeld,
	} {
		if !errors.Is(other, is) && errors.Is(err, other) {
			t.Errorf("%v passes for %v as well as for %v", err, other, is)
		}
	}
}

func TestCommandAsItIsSent(t *testing.T) {
	at := time.Date(2026, 11, 21, 9, 0, 0, 123456789, time.FixedZone("far", 3600))
	s := &sender{}
	c := muster.NewClient(muster.ClientConfig{Sender: s, Now: func() time.Time { return at }})
	position, err := newBank().Deposit.Send(t.Context(), c, "acc-1", order{Amount: 2},
		muster.ExpectRevision(4), muster.WithHeader("tenant", []byte{0, 1}), muster.WithHeader("tenant", nil), muster.Trace("00-parent", "state=1"))
	if err != nil || position != (muster.Position{Topic: "accounts.commands"}) {
		t.Fatalf("%v, %v", position, err)
	}
	cmd := s.sent[0]
	id, err := uuid.Parse(cmd.ID)
	if err != nil || id.Version() != 7 {
		t.Errorf("id %q is no UUIDv7", cmd.ID)
	}
	if cmd.CorrelationID != cmd.ID || cmd.CausationID != "" || cmd.Type != "deposit" || cmd.Group != "accounts" || cmd.AggregateID != "acc-1" ||
		cmd.TraceParent != "00-parent" || cmd.TraceState != "state=1" || cmd.ContentType != muster.ContentJSON || string(cmd.Payload) != `{"amount":2}` {
		t.Errorf("sent %+v", cmd)
	}
	if want := time.Date(2026, 11, 21, 8, 0, 0, 123456000, time.UTC); cmd.Time != want {
		t.Errorf("time %v, want %v", cmd.Time, want)
	}
	if n, exact := cmd.Expected.Exact(); !exact || n != 4 {
		t.Errorf("expected revision %d, %v", n, exact)
	}
	if values := cmd.Headers.Values("tenant"); len(values) != 2 || !bytes.Equal(values[0], []byte{0, 1}) {
		t.Errorf("headers %v", cmd.Headers)
	}
	if (cmd.ReplyTo != muster.ReplyTo{}) || !cmd.Deadline.IsZero() {
		t.Errorf("nobody waits for a command that was sent: %+v until %s", cmd.ReplyTo, cmd.Deadline)
	}
	if _, err := newBank().Open.Send(t.Context(), c, "acc-1", order{}, muster.MustNotExist(), muster.CommandID("c2"), muster.Correlation("talk")); err != nil {
		t.Fatal(err)
	}
	if n, exact := s.sent[1].Expected.Exact(); !exact || n != 0 || s.sent[1].ID != "c2" || s.sent[1].CorrelationID != "talk" {
		t.Errorf("sent %+v", s.sent[1])
	}
	if _, exact := muster.AnyRevision().Exact(); exact {
		t.Error("AnyRevision demands one")
	}
}

// What a handler sends inherits correlation, trace and headers of its message, and names it as the cause; options win over that.
func TestCommandOfAHandlerInherits(t *testing.T) {
	c, s := newClient(nil)
	b := newBank()
	w := newHooked(t, func(ctx context.Context, _ *bank, root *muster.Root[account], _ order) (account, error) {
		_, err := b.Deposit.Send(ctx, c, "acc-2", order{}, muster.WithHeader("own", []byte("1")))
		if err == nil {
			_, err = b.Deposit.Send(ctx, c, "acc-3", order{}, muster.Correlation("other"), muster.Trace("", ""), muster.WithHeader("second", []byte("2")))
		}
		return root.State(), err
	})
	cmd := command("hooked", "acc-1", "c1", order{})
	cmd.CorrelationID, cmd.CausationID, cmd.TraceParent, cmd.TraceState = "talk", "before", "00-parent", "state=1"
	cmd.Headers = append(make(muster.Headers, 0, 8), muster.Header{Key: "tenant", Value: []byte("eu")}) // with room, so that an append could hit it
	if o := w.do(cmd).outcome(t, "c1", 0); o.Code != muster.OK {
		t.Fatalf("%s %s", o.Code, o.Message)
	}
	keys := func(h muster.Headers) (all []string) {
		for _, one := range h {
			all = append(all, one.Key)
		}
		return all
	}
	first, second := s.sent[0], s.sent[1]
	if first.CorrelationID != "talk" || first.CausationID != "c1" || first.TraceParent != "00-parent" || first.TraceState != "state=1" ||
		!slices.Equal(keys(first.Headers), []string{"tenant", "own"}) {
		t.Errorf("first %+v", first)
	}
	if second.CorrelationID != "other" || second.CausationID != "c1" || second.TraceParent != "" || !slices.Equal(keys(second.Headers), []string{"tenant", "second"}) {
		t.Errorf("second %+v", second)
	}
	if first.ID == second.ID || first.ID == "c1" {
		t.Error("ids are not their own")
	}
	if _, ok := muster.MetaFrom(t.Context()); ok {
		t.Error("a context without a message has a meta")
	}
}

// What is over a limit is refused before anything is sent, each with its own reason.
func TestCallChecksItsCommand(t *testing.T) {
	c, s := newClient(nil)
	b := newBank()
	many := make([]muster.CallOption, 65)
	for i := range many {
		many[i] = muster.WithHeader("k", nil)
	}
	for name, test := range map[string]struct {
		id     string
		in     order
		opts   []muster.CallOption
		reason string
	}{
		"no id":             {"", order{}, nil, muster.ReasonBadID},
		"control character": {"acc\x00", order{}, nil, muster.ReasonBadID},
		"long id":           {strings.Repeat("x", 201), order{}, nil, muster.ReasonBadID},
		"long command id":   {"a", order{}, []muster.CallOption{muster.CommandID(strings.Repeat("x", 65))}, muster.ReasonBadID},
		"many headers":      {"a", order{}, many, muster.ReasonTooManyHeads},
		"big headers":       {"a", order{}, []muster.CallOption{muster.WithHeader("k", make([]byte, 16<<10))}, muster.ReasonHeadsTooBig},
		"reserved header":   {"a", order{}, []muster.CallOption{muster.WithHeader("ce_id", nil)}, muster.ReasonReserved},
		"big payload":       {"a", order{Text: strings.Repeat("x", muster.MaxPayload)}, nil, muster.ReasonTooLarge},
	} {
		_, err := b.Deposit.Call(t.Context(), c, test.id, test.in, test.opts...)
		if muster.CodeOf(err) != muster.InvalidArgument || muster.ReasonOf(err) != test.reason {
			t.Errorf("Call, %s: %v (%s)", name, err, muster.ReasonOf(err))
		}
		if _, err := b.Deposit.Send(t.Context(), c, test.id, test.in, test.opts...); muster.ReasonOf(err) != test.reason {
			t.Errorf("Send, %s: %v", name, err)
		}
		if _, err := b.Balance.Call(t.Context(), c, test.id, test.in, test.opts...); muster.ReasonOf(err) != test.reason {
			t.Errorf("query, %s: %v", name, err)
		}
	}
	if len(s.sent) != 0 {
		t.Errorf("%d commands were sent", len(s.sent))
	}
}

// SendAll tells of each command what became of it: a bad one and a failed one do not take the others with them.
func TestSendAllTellsEach(t *testing.T) {
	broker, typed := errors.New("connection lost"), muster.Errorf(muster.PermissionDenied, "no write access to accounts.commands")
	c, s := newClient(func(_ context.Context, cmd *muster.Command) error {
		switch cmd.ID {
		case "lost":
			return broker
		case "denied":
			return typed
		}
		return nil
	})
	b := newBank()
	var cmds []*muster.Command
	for _, id := range []string{"fine", "lost", "denied"} {
		cmd, err := b.Deposit.New(t.Context(), c, "acc-1", order{}, muster.CommandID(id))
		if err != nil {
			t.Fatal(err)
		}
		cmds = append(cmds, cmd)
	}
	bad := command("deposit", "", "bad", order{})
	cmds = slices.Insert(cmds, 1, &bad)
	errs := c.SendAll(t.Context(), b.Group, cmds)
	if len(errs) != 4 || errs[0] != nil || muster.ReasonOf(errs[1]) != muster.ReasonBadID {
		t.Fatalf("got %v", errs)
	}
	checkError(t, errs[2], muster.Unavailable, muster.ErrOutcomeUnknown, true)
	if !errors.Is(errs[2], broker) || !errors.Is(errs[3], typed) || errors.Is(errs[3], muster.ErrOutcomeUnknown) {
		t.Errorf("got %v", errs)
	}
	if len(s.sent) != 3 || cmds[3].Position() != (muster.Position{Topic: "accounts.commands", Offset: 2}) {
		t.Errorf("%d sent, the last at %s", len(s.sent), cmds[3].Position())
	}
	if errs := c.SendAll(t.Context(), b.Group, nil); len(errs) != 0 {
		t.Errorf("nothing to send: %v", errs)
	}
}

// A client without a reply topic sends; a call tells what is missing.
func TestClientWithoutReplies(t *testing.T) {
	s := &sender{}
	c := muster.NewClient(muster.ClientConfig{Sender: s})
	_, err := newBank().Deposit.Call(t.Context(), c, "acc-1", order{})
	if muster.CodeOf(err) != muster.FailedPrecondition || len(s.sent) != 0 {
		t.Errorf("%v, sent %d", err, len(s.sent))
	}
}

// view is a read model that a call waits for.
type view struct {
	got muster.Position
	err error
}

func (v *view) AwaitIn(_ context.Context, _ muster.ViewHost, pos muster.Position) error {
	v.got = pos
	return v.err
}

func TestCallWaitsForViews(t *testing.T) {
	var c *muster.Client
	c, _ = newClient(func(_ context.Context, cmd *muster.Command) error { c.Deliver(result(t, cmd.ID, 5)); return nil })
	b := newBank()
	fine, stuck := &view{}, &view{err: errors.New("stopped")}
	if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.WaitFor(fine)); err != nil || got.Balance != 5 || fine.got.Offset != 41 {
		t.Errorf("%+v, %v, waited for %s", got, err, fine.got)
	}
	if got, err := b.Deposit.Call(t.Context(), c, "acc-1", order{}, muster.WaitFor(stuck)); !errors.Is(err, stuck.err) || got.Balance != 5 {
		t.Errorf("%+v, %v: the command is done, only the view is not", got, err)
	}
}
