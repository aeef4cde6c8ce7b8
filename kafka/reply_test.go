package kafka_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestReplyGoesToReplyTopicsOnly(t *testing.T) {
	for _, row := range []struct {
		prefix, topic string
		partition     int32
		ok            bool
	}{
		{"", "replies.web", 0, true},
		{"stage.", "stage.replies.web", 7, true},
		{"stage.", "replies.web", 0, false},
		{"", "accounts.events", 0, false},
		{"", "replies.", 0, false},
		{"", "replies.web", -1, false},
		{"", "replies.we b", 0, false},
		{"", "replies." + strings.Repeat("w", 250), 0, false},
		{"", "", 0, false},
	} {
		reply := fullReply()
		reply.To = muster.ReplyTo{Topic: row.topic, Partition: row.partition}
		r, err := kafka.EncodeReply(reply, row.prefix)
		if row.ok && (err != nil || r.Topic != row.topic || r.Partition != row.partition) {
			t.Errorf("%+v: %v", row, err)
		}
		if !row.ok && (r != nil || muster.CodeOf(err) != muster.PermissionDenied) {
			t.Errorf("%+v: %v", row, err)
		}
	}
}

func TestReplyWithoutMetaStillReachesItsCaller(t *testing.T) {
	reply := fullReply()
	reply.Meta = nil
	r, err := kafka.EncodeReply(reply, "")
	if err != nil {
		t.Fatal(err)
	}
	got, err := kafka.DecodeReply(r)
	if err != nil || got.CommandID != reply.CommandID {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUndecodableReplyIsRefusedByName(t *testing.T) {
	r, err := kafka.EncodeReply(fullReply(), "")
	if err != nil {
		t.Fatal(err)
	}
	newer, noKey, broken, foreign, null := *r, *r, *r, *r, *r
	newer.Headers = append(newer.Headers[:len(newer.Headers):len(newer.Headers)], newer.Headers[0])
	newer.Headers[len(newer.Headers)-1].Key, newer.Headers[len(newer.Headers)-1].Value = "muster-format", []byte("9")
	noKey.Key = nil
	broken.Value = []byte{0xff}
	foreign.Headers = nil
	null.Value = nil
	if _, err := kafka.DecodeReply(&newer); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), `muster-format "9"`) {
		t.Errorf("newer: %v", err)
	}
	if _, err := kafka.DecodeReply(&noKey); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), "record key") {
		t.Errorf("no key: %v", err)
	}
	if _, err := kafka.DecodeReply(&broken); muster.CodeOf(err) != muster.DataLoss || !strings.Contains(err.Error(), "replies.web[3]@0") {
		t.Errorf("broken: %v", err)
	}
	if _, err := kafka.DecodeReply(&foreign); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("foreign: %v", err)
	}
	if _, err := kafka.DecodeReply(&null); !errors.Is(err, kafka.ErrTombstone) {
		t.Errorf("null: %v", err)
	}
}
