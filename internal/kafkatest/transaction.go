package kafkatest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Begin starts a transaction of a client and writes records into it, so that its end counts: see docs/design/0008. The client's EndTransaction aborts, and
// returns nil, while the client's own table does not show what was written, which is so for a moment after its first write to a topic.
func Begin(t testing.TB, client *kgo.Client, records ...*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	if err := errors.Join(client.BeginTransaction(), client.ProduceSync(ctx, records...).FirstErr()); err != nil {
		t.Fatalf("begin a transaction: %v", err)
	}
	again := time.NewTicker(time.Millisecond)
	defer again.Stop()
	for _, r := range records {
		for {
			if leader, epoch, _ := client.PartitionLeader(r.Topic, r.Partition); leader >= 0 || epoch >= 0 {
				break
			}
			select {
			case <-again.C:
			case <-ctx.Done():
				t.Fatalf("begin a transaction: the client does not show %s[%d], to which it has written", r.Topic, r.Partition)
			}
		}
	}
}
