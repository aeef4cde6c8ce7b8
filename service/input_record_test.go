package service_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// endsOf is how many records the command topic has.
func endsOf(st *stage) (int64, error) {
	ends, err := kadm.NewClient(st.raw).ListEndOffsets(st.t.Context(), st.group.CommandTopic(""))
	sum := int64(0)
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, err
}

// Records that no toolkit wrote, or a newer or a broken one: each gets its refusal where it asks for one and a dead letter with the cause,
// and the commands around it are done.
func TestBadInputFromTheTopic(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	s := st.open()
	inbox := st.inbox()
	key := st.in(1, 1)[0]
	usual := func(name string) []kgo.RecordHeader {
		return []kgo.RecordHeader{
			head("ce_id", "r-"+name), head("ce_type", "bank.Deposit"), head("ce_source", st.group.Name()), head("muster-format", "1"),
			head("muster-reply-to", inbox+"/0"), head("content-type", muster.ContentJSON),
		}
	}
	with := func(name string, more ...kgo.RecordHeader) []kgo.RecordHeader { return append(usual(name), more...) }
	without := func(name, header string) (left []kgo.RecordHeader) {
		for _, h := range usual(name) {
			if h.Key != header {
				left = append(left, h)
			}
		}
		return left
	}
	many := usual("many")
	for i := range muster.MaxHeaders + 1 {
		many = append(many, head(fmt.Sprint("h", i), "v"))
	}
	const money = `{"Amount":1000000}`
	cases := map[string]struct {
		record *kgo.Record
		reason string
	}{
		"large":        {st.command(key, `{"Amount":1000000, "x":"`+strings.Repeat("x", muster.MaxPayload)+`"}`, usual("large")...), muster.ReasonTooLarge},
		"control":      {st.command(key+"\x01", money, usual("control")...), muster.ReasonBadID},
		"no-key":       {st.command("", money, usual("no-key")...), muster.ReasonBadID},
		"id-control":   {st.command(key, money, with("x", head("ce_id", "id\ncontrol"))...), muster.ReasonBadID},
		"no-id":        {st.command(key, money, without("no-id", "ce_id")...), muster.ReasonBadID},
		"no-type":      {st.command(key, money, without("no-type", "ce_type")...), muster.ReasonBadType},
		"unknown-type": {st.command(key, money, with("unknown-type", head("ce_type", "bank.Nothing"))...), muster.ReasonNoHandler},
		"many":         {st.command(key, money, many...), muster.ReasonTooManyHeads},
		"undecodable":  {st.command(key, `{"Amount":`, usual("undecodable")...), muster.ReasonUndecodable},
		"wrong-shape":  {st.command(key, `{"Amount":"much"}`, usual("wrong-shape")...), muster.ReasonUndecodable},
		"newer":        {st.command(key, money, with("newer", head("muster-format", "2"))...), muster.ReasonBadRecord},
		"deadline":     {st.command(key, money, with("deadline", head("muster-deadline", "soon"))...), muster.ReasonBadRecord},
		"expected":     {st.command(key, money, with("expected", head("muster-expected-revision", "-1"))...), muster.ReasonBadRecord},
		"time":         {st.command(key, money, with("time", head("ce_time", "yesterday"))...), muster.ReasonBadRecord},
	}
	null := st.command(key, "", usual("null")...)
	null.Value = nil
	cases["null"] = struct {
		record *kgo.Record
		reason string
	}{null, muster.ReasonNullValue}
	stray := st.command(key, money, usual("stray")...)
	stray.Partition = 0
	cases["stray"] = struct {
		record *kgo.Record
		reason string
	}{stray, muster.ReasonWrongPlace}

	want := map[string]string{} // by origin
	for name, c := range cases {
		st.write(c.record)
		want[fmt.Sprintf("%s[%d]@%d", c.record.Topic, c.record.Partition, c.record.Offset)] = name
		st.write(st.command(key, `{"Amount":1}`, head("ce_type", "bank.Deposit"))) // and a sound one behind each
	}
	for _, d := range st.letters(len(cases)) {
		name, known := want[d.Command.Position().String()]
		if !known {
			t.Errorf("dead letter of %v, which was sound: %v", d.Command.Position(), d.Cause.Message)
			continue
		}
		delete(want, d.Command.Position().String())
		if d.Cause.Reason != cases[name].reason {
			t.Errorf("%s: cause %q (%s); want %s", name, d.Cause.Reason, d.Cause.Message, cases[name].reason)
		}
		if string(d.Command.Payload) != string(cases[name].record.Value) || (d.Command.Payload == nil) != (cases[name].record.Value == nil) {
			t.Errorf("%s: the dead letter has %d bytes of payload, the command %d", name, len(d.Command.Payload), len(cases[name].record.Value))
		}
	}
	if len(want) > 0 {
		t.Errorf("no dead letter of %v", want)
	}
	for name, c := range cases {
		if name == "id-control" || name == "no-id" {
			continue // it has no id by which a caller could know its answer
		}
		if err := st.reply(inbox, "r-"+name).Err(); muster.ReasonOf(err) != c.reason {
			t.Errorf("%s: the caller was told %v; want reason %s", name, err, c.reason)
		}
	}
	got, err := st.balance.Call(t.Context(), s.Client(), key, ask{})
	if err != nil || got.Balance != int64(len(cases)) {
		t.Errorf("balance %+v, %v; want the %d sound deposits and nothing else", got, err, len(cases))
	}
	if n := st.counter("muster_dead_letters_total", nil); int(n) != len(cases) {
		t.Errorf("muster_dead_letters_total is %v; want %d", n, len(cases))
	}
}

// A plain Kafka client needs a key, ce_type and a value; the default partitioner of any language puts it into the right partition.
func TestInputOfAPlainClient(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 5)
	s := st.open()
	plain, err := kgo.NewClient(kgo.SeedBrokers(st.brokers...), kgo.DefaultProduceTopic(st.group.CommandTopic("")))
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	for i := range 20 {
		r := &kgo.Record{Key: fmt.Append(nil, "acc-", i), Value: []byte(`{"Amount":7}`), Headers: []kgo.RecordHeader{head("ce_type", "bank.Deposit"), head("x-user", "u")}}
		if err := plain.ProduceSync(st.within(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 20 {
		id := fmt.Sprint("acc-", i)
		got, err := st.balance.Call(t.Context(), s.Client(), id, ask{})
		if err != nil || got.Balance != 7 {
			t.Errorf("%s: %+v, %v; want 7", id, got, err)
		}
	}
	for e, err := range s.History(t.Context(), st.group, "acc-3") {
		if err != nil || e.CausationID == "" || e.CorrelationID != e.CausationID || string(e.Headers[0].Value) != "u" {
			t.Errorf("event %+v, %v; want an id made from its place, and the user's header", e.Meta, err)
		}
	}
}

// A reply goes to reply topics only, and what cannot be delivered does not hold up anything.
func TestInputReplyTo(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 1)
	s := st.open()
	places := []string{
		st.group.JournalTopic("") + "/0",         // a topic that is no reply topic
		"replies./0",                             // a prefix and nothing behind
		"replies.nobody-" + st.owners + "/0",     // a reply topic that does not exist
		muster.ReplyTopic("", st.owners) + "/99", // a partition that does not exist
	}
	for i, to := range places {
		st.write(st.command("acc-1", `{"Amount":1}`, head("ce_type", "bank.Deposit"), head("ce_id", fmt.Sprint("to-", i)), head("muster-reply-to", to)))
	}
	st.served(s, "acc-1")
	got, err := st.balance.Call(t.Context(), s.Client(), "acc-1", ask{})
	if err != nil || got.Balance != int64(len(places))+1 {
		t.Errorf("balance %+v, %v; want %d: a reply that cannot be sent does not undo the command", got, err, len(places)+1)
	}
	if n := st.counter("muster_replies_dropped_total", map[string]string{"group": st.group.Name()}); n != 2 {
		t.Errorf("muster_replies_dropped_total is %v; want the 2 that name no reply topic", n)
	}
	if j := st.journal(); j.Len() != len(places)+1 {
		t.Errorf("%d events; want %d, and no reply among them", j.Len(), len(places)+1)
	}
}
