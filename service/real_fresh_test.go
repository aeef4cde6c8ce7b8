package service_test

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// A topic that was made a moment ago is not known to every broker of a cluster yet: for a while its leader answers that it has no such
// partition, and others that they know no such topic. Open waits for it.
func TestOpenWhileTopicsAreFresh(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault func(b *bank, name string) kfake.Fault
	}{
		{"reply partition", func(_ *bank, name string) kfake.Fault {
			return kfake.Fault{Keys: []kmsg.Key{kmsg.ListOffsets}, Topic: muster.ReplyTopic("", name)}
		}},
		{"journal leaders", func(b *bank, _ string) kfake.Fault {
			return kfake.Fault{Keys: []kmsg.Key{kmsg.Metadata}, Topic: b.group.JournalTopic(""), When: func(request kmsg.Request) bool {
				return len(request.(*kmsg.MetadataRequest).Topics) == 1 // the checks of the topics' settings ask for all
			}}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			broker := kafkatest.Embedded(t, embedded.Config{})
			b, name := newBank(t, muster.Partitions(2)), kafkatest.UniqueName(t, "bank")
			fault := c.fault(b, name)
			fault.Err, fault.Count = kerr.UnknownTopicOrPartition, 3
			faults := broker.Cluster().Fault(fault)
			s := start(t, service.Config{Name: name, Brokers: broker.Brokers(), DataDir: t.TempDir()}, b.owner(nil))
			if faults.Hits() != 3 {
				t.Errorf("%d requests were answered so, want 3", faults.Hits())
			}
			if got, err := b.deposit.Call(t.Context(), s.Client(), "acc-1", deposit{Amount: 250}); err != nil || got.Balance != 250 {
				t.Errorf("deposit: %+v, %v", got, err)
			}
		})
	}
}
