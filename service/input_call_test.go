package service_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// What a caller of the toolkit gets wrong is told to it by name before anything is written.
func TestBadInputOfACaller(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	type note struct{ Text string }
	annotate := muster.NewCommand[note, account](st.group, "bank.Annotate") // nobody decides it
	long := note{Text: strings.Repeat("x", muster.MaxPayload)}
	heads := make([]muster.CallOption, muster.MaxHeaders+1)
	for i := range heads {
		heads[i] = muster.WithHeader("h", nil)
	}
	for name, c := range map[string]struct {
		account string
		options []muster.CallOption
		in      any
		reason  string
	}{
		"payload over 900 KiB":        {"a", nil, long, muster.ReasonTooLarge},
		"aggregate id with a newline": {"a\nb", nil, nil, muster.ReasonBadID},
		"aggregate id with a zero":    {"a\x00b", nil, nil, muster.ReasonBadID},
		"aggregate id not UTF-8":      {"a\xffb", nil, nil, muster.ReasonBadID},
		"aggregate id empty":          {"", nil, nil, muster.ReasonBadID},
		"aggregate id of 201 bytes":   {strings.Repeat("a", 201), nil, nil, muster.ReasonBadID},
		"command id with a control":   {"a", []muster.CallOption{muster.CommandID("c\x07")}, nil, muster.ReasonBadID},
		"command id of 65 bytes":      {"a", []muster.CallOption{muster.CommandID(strings.Repeat("c", 65))}, nil, muster.ReasonBadID},
		"65 headers":                  {"a", heads, nil, muster.ReasonTooManyHeads},
		"16 KiB of headers":           {"a", []muster.CallOption{muster.WithHeader("h", bytes.Repeat([]byte("v"), muster.MaxHeaderBytes))}, nil, muster.ReasonHeadsTooBig},
		"a header of the toolkit's":   {"a", []muster.CallOption{muster.WithHeader("muster-reply-to", []byte("x/0"))}, nil, muster.ReasonReserved},
		"a header of CloudEvents'":    {"a", []muster.CallOption{muster.WithHeader("ce_id", []byte("x"))}, nil, muster.ReasonReserved},
	} {
		var err error
		if in, big := c.in.(note); big {
			_, err = annotate.Call(t.Context(), s.Client(), c.account, in, c.options...)
		} else {
			_, err = st.deposit.Call(t.Context(), s.Client(), c.account, deposit{Amount: 1}, c.options...)
		}
		if muster.CodeOf(err) != muster.InvalidArgument || muster.ReasonOf(err) != c.reason {
			t.Errorf("%s: %v (reason %q); want INVALID_ARGUMENT, %s", name, err, muster.ReasonOf(err), c.reason)
		}
	}
	if ends, err := endsOf(st); err != nil || ends != 0 {
		t.Errorf("%d commands were written, %v; want none", ends, err)
	}
	_, err := annotate.Call(t.Context(), s.Client(), "a", note{Text: "x"})
	if !errors.Is(err, muster.ErrNoHandler) || muster.CodeOf(err) != muster.Unimplemented {
		t.Errorf("unknown type: %v; want UNIMPLEMENTED", err)
	}
	if d := st.letters(1)[0]; d.Cause.Reason != muster.ReasonNoHandler || d.Command.Type != "bank.Annotate" || d.Command.Position().Topic != st.group.CommandTopic("") {
		t.Errorf("dead letter %+v; want the cause and the origin of bank.Annotate", d)
	}
	st.served(s, "a")
}

// A command that comes after its deadline is not executed; its caller can tell that from an unknown outcome.
func TestInputLate(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	inbox := st.inbox()
	late := st.command("acc-1", `{"Amount":5}`, head("ce_id", "late"), head("ce_type", "bank.Deposit"), head("muster-format", "1"), head("ce_source", st.group.Name()),
		head("muster-reply-to", inbox+"/0"), head("muster-deadline", "1000000000000"))
	st.write(late)
	outcome := st.reply(inbox, "late")
	if err := outcome.Err(); !errors.Is(err, muster.ErrExpired) || errors.Is(err, muster.ErrOutcomeUnknown) {
		t.Errorf("late command: %v; want ErrExpired", err)
	}
	if d := st.letters(1)[0]; d.Cause.Reason != muster.ReasonExpired || d.Cause.Code != muster.DeadlineExceeded || time.Since(d.Time) > time.Hour {
		t.Errorf("dead letter %+v; want the cause expired", d.Cause)
	}
	got, err := st.balance.Call(t.Context(), s.Client(), "acc-1", ask{})
	if err != nil || got.Balance != 0 {
		t.Errorf("balance %+v, %v; want 0", got, err)
	}
	st.served(s, "acc-1")
}
