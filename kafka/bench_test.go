package kafka_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// usualCommand is what a Call writes: no schema, no trace, one user header.
func usualCommand() *muster.Command {
	c := fullCommand()
	c.DataSchema, c.TraceParent, c.TraceState, c.CausationID, c.CorrelationID = "", "", "", "", c.ID
	c.Headers = c.Headers[:1]
	return c
}

func usualEvent() *muster.Event {
	e := fullEvent()
	e.DataSchema, e.TraceParent, e.TraceState, e.Revision = "", "", "", 17
	e.CausationID = "0199a7c0-0000-7000-8000-000000000001"
	e.CorrelationID = e.CausationID
	e.Headers = e.Headers[:1]
	return e
}

var (
	sinkRecord  *kgo.Record
	sinkCommand muster.Command
	sinkEvent   muster.Event
)

func BenchmarkEncodeCommand(b *testing.B) {
	c := usualCommand()
	b.ReportAllocs()
	for b.Loop() {
		sinkRecord = kafka.EncodeCommand(c, "accounts.commands", home)
	}
}

func BenchmarkDecodeCommand(b *testing.B) {
	r := kafka.EncodeCommand(usualCommand(), "accounts.commands", home)
	b.ReportAllocs()
	for b.Loop() {
		sinkCommand = kafka.DecodeCommand(r, accounts)
	}
	if sinkCommand.Fault != nil {
		b.Fatal(sinkCommand.Fault)
	}
}

func BenchmarkEncodeEvent(b *testing.B) {
	e := usualEvent()
	b.ReportAllocs()
	for b.Loop() {
		sinkRecord = kafka.EncodeEvent(e, "accounts.events")
	}
}

func BenchmarkDecodeEvent(b *testing.B) {
	r := kafka.EncodeEvent(usualEvent(), "accounts.events")
	b.ReportAllocs()
	var err error
	for b.Loop() {
		if sinkEvent, err = kafka.DecodeEvent(r, accounts); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncodeReply(b *testing.B) {
	reply := fullReply()
	b.ReportAllocs()
	var err error
	for b.Loop() {
		if sinkRecord, err = kafka.EncodeReply(reply, ""); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPartition(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		kafka.Partition("0199a7c0-0000-7000-8000-000000000001", 12)
	}
}
