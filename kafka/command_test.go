package kafka_test

import (
	"bytes"
	"strconv"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// Each row damages one valid record; the command must be refused with the reason, in words that say what is wrong.
func TestBadCommandIsRefusedByName(t *testing.T) {
	rows := map[string]struct {
		damage func(r *kgo.Record)
		reason string
		says   string
	}{
		"no key":                  {func(r *kgo.Record) { r.Key = nil }, muster.ReasonBadID, "has no key"},
		"empty key":               {func(r *kgo.Record) { r.Key = []byte{} }, muster.ReasonBadID, "has no key"},
		"control in key":          {func(r *kgo.Record) { r.Key = []byte("acc\n1") }, muster.ReasonBadID, "record key: aggregate id has an unprintable"},
		"key is not UTF-8":        {func(r *kgo.Record) { r.Key = []byte{'a', 0xff} }, muster.ReasonBadID, "not valid UTF-8"},
		"long key":                {func(r *kgo.Record) { r.Key = bytes.Repeat([]byte("x"), 201) }, muster.ReasonBadID, "201 bytes"},
		"wrong partition":         {func(r *kgo.Record) { r.Partition = 1 }, muster.ReasonWrongPlace, "belongs into partition 9 of 12"},
		"null value":              {func(r *kgo.Record) { r.Value = nil }, muster.ReasonNullValue, "null"},
		"oversized payload":       {func(r *kgo.Record) { r.Value = make([]byte, muster.MaxPayload+1) }, muster.ReasonTooLarge, "921601 bytes"},
		"missing id":              {func(r *kgo.Record) { header(r, "ce_id", nil) }, muster.ReasonBadID, "ce_id is missing"},
		"empty id":                {func(r *kgo.Record) { header(r, "ce_id", []byte{}) }, muster.ReasonBadID, "command id is missing"},
		"control in id":           {func(r *kgo.Record) { header(r, "ce_id", []byte("a\x00b")) }, muster.ReasonBadID, "unprintable"},
		"long id":                 {func(r *kgo.Record) { header(r, "ce_id", bytes.Repeat([]byte("i"), 65)) }, muster.ReasonBadID, "65 bytes"},
		"missing type":            {func(r *kgo.Record) { header(r, "ce_type", nil) }, muster.ReasonBadType, "ce_type is missing"},
		"control in type":         {func(r *kgo.Record) { header(r, "ce_type", []byte("bank\x1b")) }, muster.ReasonBadType, "unprintable"},
		"newer format":            {func(r *kgo.Record) { header(r, "muster-format", []byte("2")) }, muster.ReasonBadRecord, `muster-format "2"; this build reads 1`},
		"format is no number":     {func(r *kgo.Record) { header(r, "muster-format", []byte("\x00")) }, muster.ReasonBadRecord, `"\x00"`},
		"too many headers":        {manyHeaders(muster.MaxHeaders + 1), muster.ReasonTooManyHeads, "at most 64"},
		"headers too large":       {func(r *kgo.Record) { header(r, "big", make([]byte, muster.MaxHeaderBytes)) }, muster.ReasonHeadsTooBig, "at most 16384"},
		"header without key":      {func(r *kgo.Record) { r.Headers = append(r.Headers, kgo.RecordHeader{}) }, muster.ReasonReserved, "empty key"},
		"bad time":                {func(r *kgo.Record) { header(r, "ce_time", []byte("yesterday")) }, muster.ReasonBadRecord, "RFC 3339"},
		"bad deadline":            {func(r *kgo.Record) { header(r, "muster-deadline", []byte("-1")) }, muster.ReasonBadRecord, "milliseconds"},
		"deadline past all years": {func(r *kgo.Record) { header(r, "muster-deadline", []byte("99999999999999999")) }, muster.ReasonBadRecord, "milliseconds"},
		"bad revision":            {func(r *kgo.Record) { header(r, "muster-expected-revision", []byte("1e3")) }, muster.ReasonBadRecord, "no revision"},
		"reply-to without slash":  {func(r *kgo.Record) { header(r, "muster-reply-to", []byte("replies.web")) }, muster.ReasonBadRecord, "topic/partition"},
		"reply-to with bad topic": {func(r *kgo.Record) { header(r, "muster-reply-to", []byte("a b/1")) }, muster.ReasonBadRecord, "topic/partition"},
		"reply-to bad partition":  {func(r *kgo.Record) { header(r, "muster-reply-to", []byte("a/-1")) }, muster.ReasonBadRecord, "topic/partition"},
		"long correlation":        {func(r *kgo.Record) { header(r, "ce_correlationid", make([]byte, 201)) }, muster.ReasonBadID, "ce_correlationid"},
		"control in causation":    {func(r *kgo.Record) { header(r, "ce_causationid", []byte("\x7f")) }, muster.ReasonBadID, "ce_causationid"},
		"long schema":             {func(r *kgo.Record) { header(r, "ce_dataschema", bytes.Repeat([]byte("s"), 1025)) }, muster.ReasonBadRecord, "ce_dataschema"},
		"control in content-type": {func(r *kgo.Record) { header(r, "content-type", []byte("a\nb")) }, muster.ReasonBadRecord, "content-type"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
			r.Offset = 17
			row.damage(r)
			c := kafka.DecodeCommand(r, accounts)
			if c.Fault == nil {
				t.Fatal("accepted")
			}
			if c.Fault.Code != muster.InvalidArgument || c.Fault.Reason != row.reason || !strings.Contains(c.Fault.Message, row.says) {
				t.Errorf("fault is %v (%s), want %s saying %q", c.Fault, c.Fault.Reason, row.reason, row.says)
			}
			if place := "accounts.commands[" + strconv.Itoa(int(r.Partition)) + "]@17: "; !strings.HasPrefix(c.Fault.Message, place) {
				t.Errorf("%q does not begin with %q", c.Fault.Message, place)
			}
			if err := muster.CheckCommandID(c.ID); err != nil {
				t.Errorf("a refused command needs an id for its dead letter: %v", err)
			}
			if len(c.AggregateID) > muster.MaxAggregateID || len(c.Type) > muster.MaxType {
				t.Errorf("texts are not cut: %d and %d bytes", len(c.AggregateID), len(c.Type))
			}
			if !bytes.Equal(c.Payload, r.Value) || c.Group != "accounts" || c.Offset != 17 || c.Partition != r.Partition {
				t.Errorf("place or payload is lost: %+v", c.Position())
			}
		})
	}
}

func manyHeaders(n int) func(r *kgo.Record) {
	return func(r *kgo.Record) {
		for range n {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: "k", Value: []byte("v")})
		}
	}
}

func TestCommandWithBadIDGetsOneOfItsPlace(t *testing.T) {
	r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
	r.Offset = 9_223_372_036_854_775_807
	header(r, "ce_id", []byte("\x00"))
	if c := kafka.DecodeCommand(r, accounts); c.ID != "@9/9223372036854775807" {
		t.Errorf("id is %q", c.ID)
	}
}

func TestBrokenTraceIsDroppedAlone(t *testing.T) {
	for name, value := range map[string][]byte{"long": bytes.Repeat([]byte("0"), 129), "control": []byte("00-\n")} {
		r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
		header(r, "traceparent", value)
		c := kafka.DecodeCommand(r, accounts)
		if c.Fault != nil || c.TraceParent != "" || c.TraceState != "" || c.CorrelationID != "conversation-7" {
			t.Errorf("%s: fault %v, trace %q %q, correlation %q", name, c.Fault, c.TraceParent, c.TraceState, c.CorrelationID)
		}
	}
}

// Nor is one written that would be dropped: the record stays within its size whatever a tracer makes.
func TestTraceOverItsLimitIsNotWritten(t *testing.T) {
	for name, spoil := range map[string]func(*muster.Meta){
		"parent": func(m *muster.Meta) { m.TraceParent = strings.Repeat("0", 129) },
		"state":  func(m *muster.Meta) { m.TraceState = strings.Repeat("a", 1025) },
	} {
		cmd := fullCommand()
		spoil(&cmd.Meta)
		r := kafka.EncodeCommand(cmd, "accounts.commands", home)
		for _, h := range r.Headers {
			if h.Key == "traceparent" || h.Key == "tracestate" {
				t.Errorf("%s: %s of %d bytes is written", name, h.Key, len(h.Value))
			}
		}
		if c := kafka.DecodeCommand(r, accounts); c.Fault != nil || c.CorrelationID != "conversation-7" {
			t.Errorf("%s: %v", name, c.Fault)
		}
	}
}

func TestRepeatedToolkitHeaderCountsWithItsLastValue(t *testing.T) {
	r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_type", Value: []byte("bank.Withdraw")})
	if c := kafka.DecodeCommand(r, accounts); c.Fault != nil || c.Type != "bank.Withdraw" {
		t.Errorf("type %q, fault %v", c.Type, c.Fault)
	}
}

func TestUnknownReservedHeadersArePassedOver(t *testing.T) {
	r := kafka.EncodeCommand(fullCommand(), "accounts.commands", home)
	r.Headers = append(r.Headers, kgo.RecordHeader{Key: "ce_partitionkey", Value: []byte("x")}, kgo.RecordHeader{Key: "muster-later"})
	c := kafka.DecodeCommand(r, accounts)
	if c.Fault != nil || len(c.Headers) != len(fullCommand().Headers) {
		t.Errorf("headers %q, fault %v", c.Headers, c.Fault)
	}
}

func TestNullPayloadIsWrittenAsAnEmptyOne(t *testing.T) {
	c := fullCommand()
	c.Payload = nil
	if r := kafka.EncodeCommand(c, "accounts.commands", home); r.Value == nil || len(r.Value) != 0 {
		t.Errorf("command value is %v", r.Value)
	}
	e := fullEvent()
	e.Payload = nil
	if r := kafka.EncodeEvent(e, "accounts.events"); r.Value == nil || len(r.Value) != 0 {
		t.Errorf("event value is %v: a tombstone", r.Value)
	}
}

func TestTimeOfACommandIsTheRecordsWhereItHasNone(t *testing.T) {
	c := fullCommand()
	c.Time = at.AddDate(-1, 0, 0)
	r := kafka.EncodeCommand(c, "accounts.commands", home)
	header(r, "ce_time", nil)
	r.Timestamp = at
	if got := kafka.DecodeCommand(r, accounts).Time; !got.Equal(at) {
		t.Errorf("time is %v, want %v", got, at)
	}
}
