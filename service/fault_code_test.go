package service_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// storm is one kind of error the broker answers with for a while.
type storm struct {
	key      kmsg.Key
	err      *kerr.Error
	topLevel bool
	restart  bool // only a join or a first commit sends this request: install it before the owner starts
}

// Each transactional, group and fetch request is answered with each error that a healthy cluster can give, several times in a row, in the
// middle of a load: callers that retry see no error, every command has one effect, every answer is true.
func TestFaultCodes(t *testing.T) {
	storms := []storm{
		{key: kmsg.Produce, err: kerr.NotLeaderForPartition},
		{key: kmsg.Produce, err: kerr.NotEnoughReplicas},
		{key: kmsg.Produce, err: kerr.ConcurrentTransactions},
		{key: kmsg.Produce, err: kerr.ProducerFenced},
		{key: kmsg.Produce, err: kerr.InvalidProducerEpoch},
		{key: kmsg.Produce, err: kerr.UnknownServerError},
		{key: kmsg.Produce, err: kerr.RequestTimedOut},
		{key: kmsg.Produce, err: kerr.NotEnoughReplicasAfterAppend},
		{key: kmsg.Produce, err: kerr.OutOfOrderSequenceNumber},
		{key: kmsg.TxnOffsetCommit, err: kerr.ConcurrentTransactions},
		{key: kmsg.TxnOffsetCommit, err: kerr.NotCoordinator},
		{key: kmsg.TxnOffsetCommit, err: kerr.CoordinatorLoadInProgress},
		{key: kmsg.TxnOffsetCommit, err: kerr.ProducerFenced},
		{key: kmsg.TxnOffsetCommit, err: kerr.InvalidProducerEpoch},
		{key: kmsg.TxnOffsetCommit, err: kerr.IllegalGeneration},
		{key: kmsg.TxnOffsetCommit, err: kerr.UnknownMemberID},
		{key: kmsg.TxnOffsetCommit, err: kerr.UnknownServerError},
		{key: kmsg.TxnOffsetCommit, err: kerr.RebalanceInProgress},
		{key: kmsg.TxnOffsetCommit, err: kerr.RequestTimedOut},
		{key: kmsg.EndTxn, err: kerr.ConcurrentTransactions},
		{key: kmsg.EndTxn, err: kerr.NotCoordinator},
		{key: kmsg.EndTxn, err: kerr.CoordinatorLoadInProgress},
		{key: kmsg.EndTxn, err: kerr.ProducerFenced},
		{key: kmsg.EndTxn, err: kerr.InvalidProducerEpoch},
		{key: kmsg.EndTxn, err: kerr.UnknownServerError},
		{key: kmsg.EndTxn, err: kerr.RequestTimedOut},
		{key: kmsg.EndTxn, err: kerr.InvalidTxnState},
		{key: kmsg.InitProducerID, err: kerr.ConcurrentTransactions, topLevel: true, restart: true},
		{key: kmsg.InitProducerID, err: kerr.NotCoordinator, topLevel: true, restart: true},
		{key: kmsg.InitProducerID, err: kerr.CoordinatorLoadInProgress, topLevel: true, restart: true},
		{key: kmsg.Heartbeat, err: kerr.UnknownMemberID},
		{key: kmsg.Heartbeat, err: kerr.IllegalGeneration},
		{key: kmsg.Heartbeat, err: kerr.RebalanceInProgress},
		{key: kmsg.Heartbeat, err: kerr.NotCoordinator},
		{key: kmsg.Heartbeat, err: kerr.CoordinatorLoadInProgress},
		{key: kmsg.JoinGroup, err: kerr.CoordinatorLoadInProgress, restart: true},
		{key: kmsg.JoinGroup, err: kerr.NotCoordinator, restart: true},
		{key: kmsg.SyncGroup, err: kerr.RebalanceInProgress, restart: true},
		{key: kmsg.SyncGroup, err: kerr.NotCoordinator, restart: true},
		{key: kmsg.OffsetFetch, err: kerr.UnstableOffsetCommit, restart: true},
		{key: kmsg.OffsetFetch, err: kerr.NotCoordinator, restart: true},
		{key: kmsg.OffsetFetch, err: kerr.CoordinatorLoadInProgress, restart: true},
		{key: kmsg.ListOffsets, err: kerr.NotLeaderForPartition, restart: true},
		{key: kmsg.ListOffsets, err: kerr.LeaderNotAvailable, restart: true},
		{key: kmsg.Fetch, err: kerr.NotLeaderForPartition},
		{key: kmsg.Fetch, err: kerr.FencedLeaderEpoch},
		{key: kmsg.Fetch, err: kerr.UnknownLeaderEpoch},
		{key: kmsg.Fetch, err: kerr.KafkaStorageError},
		{key: kmsg.Fetch, err: kerr.OffsetNotAvailable},
		{key: kmsg.OffsetCommit, err: kerr.CoordinatorLoadInProgress},
		{key: kmsg.OffsetCommit, err: kerr.IllegalGeneration},
		{key: kmsg.FindCoordinator, err: kerr.CoordinatorNotAvailable, restart: true},
	}
	for _, c := range storms {
		t.Run(fmt.Sprintf("%s/%s", c.key.Name(), c.err.Message), func(t *testing.T) {
			t.Parallel()
			c.rage(t)
		})
	}
}

func (c storm) rage(t *testing.T) {
	broker := kafkatest.Embedded(t, embedded.Config{})
	st := newStage(t, broker.Brokers(), 2)
	cfg := st.config()
	cfg.SessionTimeout = 1500 * time.Millisecond // heartbeats often
	s := start(t, cfg, st.owner(nil))
	st.deposits("calm", 8, 4, 4, s)
	if c.restart {
		s.end()
	}
	topic := ""
	if c.key == kmsg.Produce || c.key == kmsg.ListOffsets { // others write commands and replies; the owner's own are meant
		topic = st.group.JournalTopic("")
	}
	faults := broker.Cluster().Fault(kfake.Fault{Keys: []kmsg.Key{c.key}, Err: c.err, Count: 3, TopLevel: c.topLevel, Topic: topic})
	if c.restart {
		s = start(t, cfg, st.owner(nil))
	}
	began := time.Now()
	enough := func() bool { // heartbeats come when they come, and some requests are made once
		return faults.Hits() >= 3 || time.Since(began) > 5*time.Second && faults.Hits() > 0 || time.Since(began) > patience
	}
	for n := 0; n == 0 || !enough(); n++ {
		st.deposits(fmt.Sprint("storm-", n), 12, 4, 4, s)
		if _, err := st.balance.Call(st.within(), s.Client(), "acc-1", ask{}); err != nil {
			t.Errorf("query in the storm: %v", err)
		}
	}
	if faults.Hits() == 0 {
		t.Errorf("no request was answered with %v", c.err)
	}
	faults.Remove()
	took := time.Since(began)
	st.until("all partitions serve", func() bool { return s.Ready() == nil })
	st.complete(s)
	t.Logf("%d answers of the broker were %s; %d deposits in %v", faults.Hits(), c.err.Message, st.answered(), took.Round(time.Millisecond))
}
