package producer_test

import (
	"bytes"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A broker that has not heard yet of a topic made a moment ago says that there is none. Open asks again, and so does a slot before its first
// transaction.
func TestOpenAtABrokerThatLagsBehind(t *testing.T) {
	b := newBed(t, 1)
	lag := func() *kfake.FaultHandle {
		return b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: b.group.DeadLetterTopic(""), Err: kerr.UnknownTopicOrPartition, Count: 3})
	}
	atOpen := lag()
	p := b.open()
	if atOpen.Hits() != 3 {
		t.Error("Open was not answered so three times")
	}
	atCommit := lag()
	if err := p.Lane(0).Commit(t.Context(), b.decide("c1", 0)); err != nil {
		t.Fatal(err)
	}
	if atCommit.Hits() != 3 {
		t.Error("the first commit was not answered so three times")
	}
	if n := len(b.committed(b.group.JournalTopic(""))); n != 1 {
		t.Errorf("%d events are visible, want 1", n)
	}
}

// The largest batch of a topic is asked for again, too: a broker that has not heard of the topic knows no setting of it.
func TestTheBatchLimitAtABrokerThatLagsBehind(t *testing.T) {
	b := newBed(t, 1)
	journal := b.group.JournalTopic("")
	b.alter(journal, "max.message.bytes", "4096")
	lag := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.DescribeConfigs}, Resource: journal, Err: kerr.UnknownTopicOrPartition, Count: 2})
	lane := b.open().Lane(0)
	if lag.Hits() != 2 {
		t.Errorf("Open was answered so %d times, not twice", lag.Hits())
	}
	d := b.three()
	d.Events[3].Payload = bytes.Repeat([]byte{'x'}, 5_000)
	if got := b.blamed(lane, d); got != "c3" {
		t.Errorf("blamed %q, want c3", got)
	}
}
