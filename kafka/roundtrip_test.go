package kafka_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/anypb"
	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

var (
	name   = rapid.StringMatching(`[a-zé/@ ]{1,40}`)
	moment = rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMicro(rapid.Int64Range(-30e15, 250e15).Draw(t, "µs")).UTC() // the years 1019 to 9892
	})
	payload = rapid.SliceOfN(rapid.Byte(), 0, 300)
	own     = rapid.Custom(func(t *rapid.T) muster.Headers {
		n := rapid.IntRange(0, 5).Draw(t, "headers")
		var all muster.Headers
		for range n {
			all = append(all, muster.Header{
				Key: "x" + rapid.StringMatching(`[a-z-]{0,5}`).Draw(t, "key"), Value: payload.Draw(t, "value"),
			})
		}
		return all
	})
)

func drawMeta(t *rapid.T) muster.Meta {
	optional := rapid.OneOf(rapid.Just(""), name)
	return muster.Meta{
		ID: name.Draw(t, "id"), Type: name.Draw(t, "type"), Group: "accounts", AggregateID: name.Draw(t, "aggregate"),
		Time: moment.Draw(t, "time"), CorrelationID: name.Draw(t, "correlation"), CausationID: optional.Draw(t, "causation"),
		ContentType: rapid.SampledFrom([]string{"", muster.ContentJSON, muster.ContentProtobuf, muster.ContentRaw, "text/plain"}).Draw(t, "content"),
		DataSchema:  optional.Draw(t, "schema"), TraceParent: optional.Draw(t, "traceparent"), TraceState: optional.Draw(t, "tracestate"),
		Headers: own.Draw(t, "own"),
	}
}

func drawCommand(t *rapid.T) *muster.Command {
	c := &muster.Command{Meta: drawMeta(t), Payload: payload.Draw(t, "payload")}
	c.Topic, c.Partition = "accounts.commands", kafka.Partition(c.AggregateID, accounts.Partitions())
	if rapid.Bool().Draw(t, "asks") {
		c.ReplyTo = muster.ReplyTo{Topic: "replies.web", Partition: rapid.Int32Min(0).Draw(t, "reply partition")}
	}
	if rapid.Bool().Draw(t, "hurries") {
		c.Deadline = time.UnixMilli(rapid.Int64Range(0, 253402300799999).Draw(t, "deadline")).UTC()
	}
	if rapid.Bool().Draw(t, "expects") {
		c.Expected = muster.ExactRevision(rapid.Uint64().Draw(t, "revision"))
	}
	return c
}

func TestCommandsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := drawCommand(t)
		got := kafka.DecodeCommand(kafka.EncodeCommand(want, want.Topic, want.Partition), accounts)
		if diff := cmp.Diff(*want, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestEventsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := muster.Event{
			Meta: drawMeta(t), Payload: payload.Draw(t, "payload"), Index: rapid.IntRange(0, 3).Draw(t, "index"),
		}
		want.Revision = rapid.Uint64Min(1).Draw(t, "revision")
		want.Count = want.Index + rapid.IntRange(1, 3).Draw(t, "more")
		want.Topic, want.Partition = "accounts.events", kafka.Partition(want.AggregateID, accounts.Partitions())
		if want.Last() {
			want.Fingerprint = rapid.Uint32().Draw(t, "fingerprint")
			if rapid.Bool().Draw(t, "answered") {
				want.Answer = payload.Draw(t, "answer")
			}
		}
		got, err := kafka.DecodeEvent(kafka.EncodeEvent(&want, want.Topic), accounts)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, same); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestDeadLettersComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := muster.DeadLetter{Command: *drawCommand(t), Time: moment.Draw(t, "given up")}
		want.Command.Offset = rapid.Int64Min(0).Draw(t, "offset")
		want.Cause = muster.Error{
			Code: muster.Code(rapid.Uint32Range(0, 16).Draw(t, "code")), Reason: rapid.OneOf(rapid.Just(""), name).Draw(t, "reason"),
			Message: rapid.StringN(0, -1, 300).Draw(t, "message"), Retry: rapid.Bool().Draw(t, "retry"),
		}
		for range rapid.IntRange(0, 2).Draw(t, "details") {
			want.Cause.Details = append(want.Cause.Details, &anypb.Any{TypeUrl: "t/" + name.Draw(t, "detail"), Value: []byte("v")})
		}
		if rapid.Bool().Draw(t, "null") {
			want.Command.Payload = nil
		}
		got, err := kafka.DecodeDeadLetter(kafka.EncodeDeadLetter(&want, "accounts.dead"), accounts)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameCause); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestRepliesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := muster.Outcome{
			CommandID: name.Draw(t, "id"), Code: muster.Code(rapid.Uint32Range(0, 16).Draw(t, "code")),
			Message: name.Draw(t, "message"), Revision: rapid.Uint64().Draw(t, "revision"), Repeated: rapid.Bool().Draw(t, "repeated"),
			Position: muster.Position{Topic: "accounts.events", Partition: rapid.Int32Min(0).Draw(t, "partition"), Offset: rapid.Int64Min(0).Draw(t, "offset")},
		}
		meta := drawMeta(t)
		to := muster.ReplyTo{Topic: "replies.web", Partition: rapid.Int32Min(0).Draw(t, "reply partition")}
		r, err := kafka.EncodeReply(&muster.Reply{To: to, CommandID: want.CommandID, Outcome: &want, Meta: &meta}, "")
		if err != nil {
			t.Fatal(err)
		}
		if r.Topic != to.Topic || r.Partition != to.Partition {
			t.Fatalf("goes to %s[%d]", r.Topic, r.Partition)
		}
		got, err := kafka.DecodeReply(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&want, got, sameCause); diff != "" {
			t.Fatal(diff)
		}
	})
}
