package service_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// trimmable gives a stage with one partition and a running owner: 50 deposits to 5 accounts lie behind the dedup window, 10 in it.
func trimmable(t *testing.T) (*stage, service.Config, *running) {
	t.Helper()
	st := newStage(t, kafkatest.Brokers(t), 1)
	cfg := st.config()
	cfg.DedupWindow = time.Minute
	s := start(t, cfg, st.owner(nil))
	st.deposits("before", 50, 5, 4, s)
	s.end()
	s = startPieces(t, cfg, 7, st.owner(nil))
	st.deposits("late", 10, 5, 4, s)
	return st, cfg, s
}

// startPieces starts a service that trims few events at a time and whose clock is an hour ahead.
func startPieces(t *testing.T, cfg service.Config, piece int, parts ...service.Part) *running {
	t.Helper()
	s, err := service.Open(t.Context(), cfg, parts...)
	if err != nil {
		t.Fatal(err)
	}
	s.SetClock(func() time.Time { return time.Now().Add(time.Hour) })
	s.SetTrimPiece(piece)
	return launchOpened(t, s)
}

// old lets the deposits from before go, and spares the late ones.
func old() service.TrimOptions {
	return service.TrimOptions{OlderThan: time.Now().Add(30 * time.Minute)}
}

// committed reads all committed records of the only partition of a topic, by offset, and gives its end.
func (st *stage) committed(topic string) (all map[int64]*kgo.Record, to int64) {
	st.t.Helper()
	return committedIn(st.t, st.brokers, topic)
}

func committedIn(t *testing.T, brokers []string, topic string) (all map[int64]*kgo.Record, to int64) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {0: kgo.NewOffset().At(0)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	end, _ := ends.Lookup(topic, 0)
	all = map[int64]*kgo.Record{}
	if end.Offset <= 0 {
		return all, 0
	}
	for last := int64(-1); last+1 < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if last = r.Offset; !r.Attrs.IsControl() {
				all[r.Offset] = r
			}
		})
	}
	return all, end.Offset
}

// removed gives what the journal's tombstones remove, and the last mark.
func (st *stage) removed() (map[muster.EventKey]bool, *muster.TrimMark) {
	st.t.Helper()
	return removedIn(st.t, st.brokers, st.group)
}

func removedIn(t *testing.T, brokers []string, group *muster.Group) (map[muster.EventKey]bool, *muster.TrimMark) {
	t.Helper()
	gone, last, at := map[muster.EventKey]bool{}, (*muster.TrimMark)(nil), int64(-1)
	records, _ := committedIn(t, brokers, group.JournalTopic(""))
	for offset, r := range records {
		if key, is := kafka.DecodeTombstone(r); is {
			gone[key] = true
		}
		mark, err := kafka.DecodeTrimMark(r, group)
		if err != nil {
			t.Fatal(err)
		}
		if mark != nil && offset > at {
			last, at = mark, offset
		}
	}
	return gone, last
}

// copied is a second set of the topics as a compacting broker would leave them: what was trimmed is not there any more. The embedded broker
// does not compact, so other tombstones stand in the places.
type copied struct {
	*stage
	prefix string
	gone   map[muster.EventKey]bool
	next   int64 // of the journal copy
}

// compacted makes the second set, empty.
func (st *stage) compacted(prefix string) *copied {
	st.t.Helper()
	gone, _ := st.removed()
	c := &copied{stage: st, prefix: prefix, gone: gone}
	cfg := c.config(st.t.TempDir())
	cfg.Metrics = nil // another owner of the stage may be running
	s, err := service.Open(st.t.Context(), cfg, st.owner(nil))
	if err != nil {
		st.t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		st.t.Fatal(err)
	}
	return c
}

func (c *copied) config(dir string) service.Config {
	cfg := c.stage.config()
	cfg.Prefix, cfg.DataDir, cfg.DedupWindow = c.prefix, dir, time.Minute
	return cfg
}

// journalTo copies the journal up to an offset; negative: to its end. With all the events that were trimmed are still there.
func (c *copied) journalTo(to int64, all bool) {
	c.t.Helper()
	from, end := c.committed(c.group.JournalTopic(""))
	topic := c.group.JournalTopic(c.prefix)
	if to < 0 {
		to = end
	}
	var records []*kgo.Record
	for ; c.next < to; c.next++ {
		r := &kgo.Record{Key: fmt.Appendf(nil, "filler-%d", c.next)}
		if old := from[c.next]; old != nil {
			e, err := kafka.DecodeEvent(old, c.group)
			if err != nil || all || !c.gone[muster.EventKey{AggregateID: e.AggregateID, Revision: e.Revision}] {
				r = &kgo.Record{Key: old.Key, Value: old.Value, Headers: old.Headers, Timestamp: old.Timestamp}
			}
		}
		r.Topic = topic
		records = append(records, r)
	}
	c.put(records)
}

// snapshots copies the snapshots that change lets through. The journal's copy is another topic, so the pass is rewritten.
func (c *copied) snapshots(change func(*muster.StoredState) bool) {
	c.t.Helper()
	all, end := c.committed(c.group.SnapshotTopic(""))
	topic := c.group.SnapshotTopic(c.prefix)
	var records []*kgo.Record
	for offset := range end {
		if all[offset] == nil {
			continue
		}
		state, pass, _ := kafka.DecodeSnapshot(all[offset], c.group) // what cannot be read is copied as it is
		var err error
		r := &kgo.Record{Topic: topic, Key: all[offset].Key, Value: all[offset].Value, Headers: all[offset].Headers}
		if pass != nil {
			pass.TopicID = [16]byte{}
			if r, err = kafka.EncodeSnapshotPass(c.group, pass, topic); err != nil {
				c.t.Fatal(err)
			}
		} else if change != nil && !change(&state) {
			continue
		}
		records = append(records, r)
	}
	c.put(records)
}

func (c *copied) put(records []*kgo.Record) {
	c.t.Helper()
	if len(records) == 0 {
		return
	}
	if err := c.raw.ProduceSync(c.within(), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// balances asks for each account's.
func (st *stage) balances(s *running) map[string]int64 {
	st.t.Helper()
	all := map[string]int64{}
	for i := range 5 {
		id := fmt.Sprintf("acc-%d", i)
		got, err := st.balance.Call(st.within(), s.Client(), id, ask{})
		if err != nil {
			st.t.Fatal(err)
		}
		all[id] = got.Balance
	}
	return all
}

// base tells whether the snapshots topic has all states up to a pass that reaches an offset.
func (st *stage) base(before int64) error {
	states := map[string]muster.StoredState{}
	from := consumer.JournalConfig{Kafka: kafka.Config{Brokers: st.brokers}, Group: st.group}
	found, err := consumer.ReadSnapshots(st.t.Context(), from, 0, func(s muster.StoredState) error { states[s.AggregateID] = s; return nil })
	switch {
	case err != nil:
		return err
	case found.Pass == nil || found.Pass.Journal < before || len(states) < found.Pass.States:
		return fmt.Errorf("pass %+v, %d states; wanted up to %d", found.Pass, len(states), before)
	}
	return nil
}
