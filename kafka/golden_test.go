package kafka_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// same compares messages of the root package: times by moment, unexported fields by value, an Error without its local cause.
var same = cmp.Options{
	cmp.AllowUnexported(muster.RevisionRule{}),
	cmpopts.EquateApproxTime(0),
	cmpopts.IgnoreUnexported(muster.Error{}),
}

// sameCause does so for what has details in it.
var sameCause = cmp.Options{same, protocmp.Transform()}

func fullMeta() muster.Meta {
	return muster.Meta{
		ID: "0199a7c0-0000-7000-8000-000000000001", Type: "bank.Deposit", Group: "accounts", AggregateID: "acc-1",
		Time: at, CorrelationID: "conversation-7", CausationID: "0199a7c0-0000-7000-8000-000000000000",
		ContentType: "application/protobuf", DataSchema: "https://example.com/bank.proto",
		TraceParent: "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", TraceState: "vendor=1",
		Headers: muster.Headers{
			{Key: "tenant", Value: []byte("north")},
			{Key: "tag", Value: []byte{0, 255}},
			{Key: "tag", Value: []byte("again")},
			{Key: "empty", Value: []byte{}},
		},
		Topic: "accounts.commands", Partition: home,
	}
}

func fullCommand() *muster.Command {
	return &muster.Command{
		Meta: fullMeta(), Payload: []byte{8, 250, 1},
		ReplyTo:  muster.ReplyTo{Topic: "replies.web", Partition: 3},
		Deadline: time.UnixMilli(1_793_800_000_123), Expected: muster.ExactRevision(0),
	}
}

func fullEvent() *muster.Event {
	e := &muster.Event{Meta: fullMeta(), Payload: []byte{8, 250, 1}, Index: 1, Count: 2, Answer: []byte{32, 1}, Fingerprint: 0x00c0ffee}
	e.ID, e.Type, e.Revision, e.Topic = "0199a7c0-0000-7000-8000-000000000001/1", "bank.Credited", 18_446_744_073_709_551_615, "accounts.events"
	return e
}

func fullDeadLetter(t testing.TB) *muster.DeadLetter {
	detail, err := anypb.New(wrapperspb.Int64(42))
	if err != nil {
		t.Fatal(err)
	}
	d := &muster.DeadLetter{
		Command: *fullCommand(), Time: at.Add(time.Second),
		Cause: muster.Error{
			Code: muster.Internal, Reason: muster.ReasonPanic, Message: "handler of bank.Deposit panicked", Retry: true,
			Details: []*anypb.Any{detail},
		},
	}
	d.Command.Offset = 88_213
	return d
}

func fullReply() *muster.Reply {
	m := fullMeta()
	return &muster.Reply{
		To: muster.ReplyTo{Topic: "replies.web", Partition: 3}, CommandID: m.ID, Meta: &m,
		Outcome: &muster.Outcome{
			ContentType: muster.ContentJSON, Payload: []byte(`{"balance":250}`), Revision: 2,
			Position: muster.Position{Topic: "accounts.events", Partition: home, Offset: 17},
		},
	}
}

func TestCommandOnTheWire(t *testing.T) {
	want := fullCommand()
	golden(t, "command.txt", "a command with everything it can have", kafka.EncodeCommand(want, "accounts.commands", home))
	if diff := cmp.Diff(*want, kafka.DecodeCommand(load(t, "command.txt"), accounts), same); diff != "" {
		t.Error(diff)
	}
}

func TestPlainCommandOnTheWire(t *testing.T) {
	r := load(t, "command-plain.txt")
	r.Timestamp = at
	want := muster.Command{
		Meta: muster.Meta{
			ID: "@9/41", CorrelationID: "@9/41", Type: "bank.Open", Group: "accounts", AggregateID: "acc-1", Time: at,
			Topic: "accounts.commands", Partition: home, Offset: 41,
		},
		Payload: []byte(`{"owner":"Ada"}`),
	}
	if diff := cmp.Diff(want, kafka.DecodeCommand(r, accounts), same); diff != "" {
		t.Error(diff)
	}
}

func TestEventOnTheWire(t *testing.T) {
	want := fullEvent()
	golden(t, "event.txt", "the last event of a command, with everything it can have", kafka.EncodeEvent(want, "accounts.events"))
	got, err := kafka.DecodeEvent(load(t, "event.txt"), accounts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got, same); diff != "" {
		t.Error(diff)
	}
}

func TestDeadLetterOnTheWire(t *testing.T) {
	want := fullDeadLetter(t)
	golden(t, "deadletter.txt", "a dead letter of a command with everything it can have", kafka.EncodeDeadLetter(want, "accounts.dead"))
	got, err := kafka.DecodeDeadLetter(load(t, "deadletter.txt"), accounts)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(*want, got, sameCause); diff != "" {
		t.Error(diff)
	}
}

func TestReplyOnTheWire(t *testing.T) {
	reply := fullReply()
	r, err := kafka.EncodeReply(reply, "")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "reply.txt", "an answer with its result", r)
	got, err := kafka.DecodeReply(load(t, "reply.txt"))
	if err != nil {
		t.Fatal(err)
	}
	want := *reply.Outcome
	want.CommandID = reply.CommandID
	if diff := cmp.Diff(&want, got, sameCause); diff != "" {
		t.Error(diff)
	}
}
