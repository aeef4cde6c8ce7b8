package main

import (
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// sampleID is as long as the command ids of clients.
const sampleID = "0193f0a0-0000-7000-8000-000000000000"

// sampleReply is a reply record of the engine, whose headers and value the bare loops write as they are: the bytes are the same and cost
// nothing to make.
func sampleReply(s *stage) *kgo.Record {
	result, _ := proto.Marshal(wrapperspb.UInt64(25)) // cannot fail
	cmd := command(s, account(1), sampleID, nil, time.Unix(0, 0).UTC())
	record, err := kafka.EncodeReply(&muster.Reply{
		To: muster.ReplyTo{Topic: s.replies}, CommandID: sampleID, Meta: &cmd.Meta,
		Outcome: &muster.Outcome{
			ContentType: muster.ContentProtobuf, Payload: result, Revision: 25,
			Position: muster.Position{Topic: s.journal(), Partition: 7, Offset: 123_456},
		},
	}, "")
	if err != nil {
		return &kgo.Record{} // the reply topic of a stage always is one
	}
	return record
}

// sampleCommand is a command record likewise.
func sampleCommand(s *stage, payload []byte) *kgo.Record {
	cmd := command(s, account(1), sampleID, payload, time.Unix(0, 0).UTC())
	cmd.ReplyTo, cmd.Deadline = muster.ReplyTo{Topic: s.replies}, time.Unix(1_800_000_000, 0)
	return kafka.EncodeCommand(&cmd, s.commands(), 0)
}
