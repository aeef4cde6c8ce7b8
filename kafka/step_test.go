package kafka_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

var sameStep = cmpopts.IgnoreUnexported(muster.Step{})

func fullStep() (*muster.Step, *muster.Meta) {
	m := fullMeta()
	return &muster.Step{CommandID: m.ID, Attempt: 2, Number: 17, ContentType: muster.ContentJSON, Payload: []byte(`{"percent":40}`)}, &m
}

func stepRecord(t testing.TB) *kgo.Record {
	t.Helper()
	s, m := fullStep()
	r, err := kafka.EncodeStep(s, muster.ReplyTo{Topic: "replies.web", Partition: 3}, m, "")
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStepOnTheWire(t *testing.T) {
	golden(t, "step.txt", "a step of progress", stepRecord(t))
	r := load(t, "step.txt")
	if !kafka.IsStep(r) || kafka.IsStep(load(t, "reply.txt")) {
		t.Error("a step and a reply are not told apart")
	}
	got, err := kafka.DecodeStep(r)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := fullStep()
	if diff := cmp.Diff(want, got, sameStep); diff != "" {
		t.Error(diff)
	}
}

func calledCommand() *muster.Command {
	c := fullCommand()
	c.WantsProgress, c.Hops, c.Path = true, 3, []string{"shop", "till"}
	return c
}

func TestCalledCommandOnTheWire(t *testing.T) {
	want := calledCommand()
	golden(t, "command-called.txt", "a command that a handler called, progress wanted", kafka.EncodeCommand(want, "accounts.commands", home))
	if diff := cmp.Diff(*want, kafka.DecodeCommand(load(t, "command-called.txt"), accounts), same); diff != "" {
		t.Error(diff)
	}
	for key, value := range map[string]string{"muster-hops": "17", "muster-path": "a\nb"} {
		r := kafka.EncodeCommand(want, "accounts.commands", home)
		header(r, key, []byte(value))
		if c := kafka.DecodeCommand(r, accounts); c.Fault == nil || c.Fault.Reason != muster.ReasonBadRecord {
			t.Errorf("%s %q: %v", key, value, c.Fault)
		}
	}
	r := kafka.EncodeCommand(want, "accounts.commands", home)
	header(r, "muster-hops", nil)
	if c := kafka.DecodeCommand(r, accounts); c.Fault == nil {
		t.Error("a path without hops is taken")
	}
}

func TestStepGoesToReplyTopicsOnly(t *testing.T) {
	s, m := fullStep()
	if r, err := kafka.EncodeStep(s, muster.ReplyTo{Topic: "accounts.events"}, m, ""); r != nil || muster.CodeOf(err) != muster.PermissionDenied {
		t.Errorf("%v, %v", r, err)
	}
}

func TestUndecodableStepIsRefusedByName(t *testing.T) {
	for name, change := range map[string]func(*kgo.Record){
		"newer":     func(r *kgo.Record) { header(r, "muster-format", []byte("9")) },
		"zero":      func(r *kgo.Record) { header(r, "muster-step", []byte("0")) },
		"no number": func(r *kgo.Record) { header(r, "muster-step", []byte("first")) },
		"attempt":   func(r *kgo.Record) { header(r, "muster-attempt", nil) },
		"no key":    func(r *kgo.Record) { r.Key = nil },
	} {
		r := stepRecord(t)
		change(r)
		if s, err := kafka.DecodeStep(r); s != nil || muster.CodeOf(err) != muster.DataLoss {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	null := stepRecord(t)
	null.Value = nil
	if _, err := kafka.DecodeStep(null); !errors.Is(err, kafka.ErrTombstone) {
		t.Errorf("null: %v", err)
	}
}

func FuzzDecodeStep(f *testing.F) {
	seed(f, stepRecord(f), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		r := input("replies.web", key, value, null, flat, partition)
		s, err := kafka.DecodeStep(r)
		if err != nil {
			if !errors.Is(err, kafka.ErrTombstone) && muster.CodeOf(err) != muster.DataLoss {
				t.Fatalf("%v: of no kind", err)
			}
			return
		}
		if !kafka.IsStep(r) || s.Number < 1 || s.Attempt < 1 || muster.CheckCommandID(s.CommandID) != nil {
			t.Fatalf("accepted %+v", s)
		}
		again, err := kafka.EncodeStep(s, muster.ReplyTo{Topic: "replies.web"}, &muster.Meta{}, "")
		if err != nil {
			t.Fatal(err)
		}
		got, err := kafka.DecodeStep(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(s, got, sameStep); diff != "" {
			t.Fatal(diff)
		}
	})
}

// A refusal that holds for one sending of its command only says which.
func TestReplyToOneSending(t *testing.T) {
	reply := fullReply()
	reply.Deadline = at.Add(123 * time.Millisecond).Truncate(time.Millisecond)
	r, err := kafka.EncodeReply(reply, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := kafka.DecodeReply(r)
	if err != nil || !got.Deadline.Equal(reply.Deadline) {
		t.Errorf("%+v, %v", got, err)
	}
	for _, strange := range []string{"soon", "-1", "99999999999999999"} {
		header(r, "muster-deadline", []byte(strange))
		if got, err := kafka.DecodeReply(r); err != nil || !got.Deadline.IsZero() {
			t.Errorf("%s: %+v, %v", strange, got, err)
		}
	}
}
