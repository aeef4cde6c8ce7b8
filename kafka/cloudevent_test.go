package kafka_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func fullCloudEvent() *muster.CloudEvent {
	return &muster.CloudEvent{
		ID: "public/c1/0", Source: "accounts", Type: "account.credited.v1", Subject: "acc-1", Time: at.UTC(), ContentType: muster.ContentJSON,
		DataSchema: "https://example.org/credited", CorrelationID: "co", CausationID: "c1/0", TraceParent: "00-1-2-01", TraceState: "a=b",
		Headers: muster.Headers{{Key: "tenant", Value: []byte("north")}}, Key: "acc-1", Payload: []byte(`{"amount":1}`),
	}
}

func TestCloudEventRoundTrip(t *testing.T) {
	for name, e := range map[string]*muster.CloudEvent{
		"full": fullCloudEvent(), "least": {ID: "1", Source: "s", Type: "t", Payload: []byte{}},
	} {
		r := kafka.EncodeCloudEvent(e, "accounts.public", 12)
		got, err := kafka.DecodeCloudEvent(r)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(*e, got); diff != "" {
			t.Errorf("%s (-written +read)\n%s", name, diff)
		}
	}
}

func TestCloudEventGolden(t *testing.T) {
	golden(t, "cloudevent.txt", "a public event in the binary mode of CloudEvents' Kafka binding", kafka.EncodeCloudEvent(fullCloudEvent(), "accounts.public", 12))
}

func TestCloudEventIsInThePartitionOfItsKey(t *testing.T) {
	if r := kafka.EncodeCloudEvent(fullCloudEvent(), "accounts.public", 12); r.Partition != home {
		t.Errorf("partition %d, want %d", r.Partition, home)
	}
	if r := kafka.EncodeRemoval("acc-1", "accounts.public", 12); r.Partition != home || r.Value != nil {
		t.Errorf("a removal in partition %d, with value %q", r.Partition, r.Value)
	}
	empty := fullCloudEvent()
	empty.Payload = nil
	if r := kafka.EncodeCloudEvent(empty, "accounts.public", 12); r.Value == nil {
		t.Error("an event without data is a tombstone")
	}
}

func TestCloudEventsOfOthers(t *testing.T) {
	journal := kafka.EncodeEvent(&muster.Event{Meta: muster.Meta{ID: "c/0", Group: "accounts", Type: "t", AggregateID: "acc-1", Revision: 1, Time: at}, Count: 1}, "accounts.events")
	if e, err := kafka.DecodeCloudEvent(journal); err != nil || e.Subject != "acc-1" {
		t.Errorf("an event of a journal: %+v, %v", e, err)
	}
	if _, err := kafka.DecodeCloudEvent(&kgo.Record{Value: []byte("{}")}); !errors.Is(err, kafka.ErrForeign) {
		t.Errorf("no CloudEvent: %v", err)
	}
	if _, err := kafka.DecodeCloudEvent(kafka.EncodeRemoval("k", "t", 1)); !errors.Is(err, kafka.ErrTombstone) {
		t.Errorf("a tombstone: %v", err)
	}
	late := kafka.EncodeCloudEvent(fullCloudEvent(), "accounts.public", 12)
	header(late, "ce_time", []byte("yesterday"))
	if _, err := kafka.DecodeCloudEvent(late); muster.CodeOf(err) != muster.DataLoss {
		t.Errorf("no time: %v", err)
	}
}

func FuzzDecodeCloudEvent(f *testing.F) {
	seed(f, kafka.EncodeCloudEvent(fullCloudEvent(), "accounts.public", 12), &kgo.Record{})
	f.Fuzz(func(t *testing.T, key, value []byte, null bool, flat []byte, partition int32) {
		e, err := kafka.DecodeCloudEvent(input("accounts.public", key, value, null, flat, partition))
		if err != nil {
			return
		}
		again, err := kafka.DecodeCloudEvent(kafka.EncodeCloudEvent(&e, "accounts.public", 3))
		if err != nil {
			t.Fatalf("its own record: %v", err)
		}
		if diff := cmp.Diff(e, again); diff != "" {
			t.Errorf("(-first +second)\n%s", diff)
		}
	})
}
