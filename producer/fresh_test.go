package producer_test

import (
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
