package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/kafka"
)

// cluster is the brokers that are measured, with what both sides have in common.
type cluster struct {
	cfg    config
	kafka  kafka.Config
	count  int // brokers
	client *kgo.Client
	admin  *kadm.Client
	inside *embedded.Broker // nil with real brokers

	requests *requests // of all clients
}

func openCluster(ctx context.Context, cfg config) (*cluster, error) {
	c := &cluster{cfg: cfg, requests: &requests{}}
	c.kafka = kafka.Config{Brokers: cfg.brokers, ClientID: "bench"}
	if cfg.embedded > 0 {
		broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{Brokers: cfg.embedded})
		if err != nil {
			return nil, err
		}
		c.inside, c.kafka.Brokers = broker, broker.Brokers()
	}
	var err error
	if c.kafka.Options, err = cfg.compression(); err == nil {
		c.kafka.Options = append(c.kafka.Options, kgo.WithHooks(c.requests))
		err = c.connect(ctx)
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *cluster) connect(ctx context.Context) error {
	var err error
	if c.client, err = c.kafka.Client(); err != nil {
		return err
	}
	c.admin = kadm.NewClient(c.client)
	reach, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	found, err := c.admin.ListBrokers(reach)
	if err != nil {
		return fmt.Errorf("no broker answers at %v: %w", c.kafka.Brokers, err)
	}
	c.count = len(found)
	return nil
}

func (c *cluster) close() {
	if c.client != nil {
		c.client.Close()
	}
	if c.inside != nil {
		c.inside.Close()
	}
}

func (c *cluster) setting() setting {
	s := setting{
		machine: thisMachine(), Broker: "kafka", Brokers: c.count, Partitions: partitions, Compression: c.cfg.codec,
		N: c.cfg.commands, Aggregates: c.cfg.aggregates, Payload: c.cfg.payload, Clients: c.cfg.clients, WindowMS: c.cfg.window.Milliseconds(),
		Recover: c.cfg.recover, Resident: c.cfg.sizes.resident, Events: c.cfg.events, Keys: c.cfg.keys, SQL: c.cfg.sql, Rebuild: c.cfg.rebuild,
		Seed: c.cfg.seed, Repeat: c.cfg.repeat, Commit: c.cfg.commit,
	}
	if c.inside != nil {
		s.Broker = "embedded"
	}
	if s.Compression == "" {
		s.Compression = "default"
	}
	return s
}

// stage is the topics of one pass: a group's and a reply topic, with the settings the toolkit gives them. The bare loop gets a stage of its
// own, so that both write to topics that are alike.
type stage struct {
	*ledger
	name    string
	replies string         // the topic
	privacy *crypto.Config // nil: its service seals nothing
	codec   muster.Codec   // of its service; nil: the usual one
}

// stage makes topics under a name of their own and returns when they have leaders. drop removes them.
func (c *cluster) stage(ctx context.Context, row string) (s *stage, drop func(), err error) {
	var random [4]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, nil, err
	}
	name := "bench-" + row + "-" + hex.EncodeToString(random[:])
	s = &stage{ledger: newLedger(name), name: name, replies: muster.ReplyTopic("", name+"-callers")}
	_, err = kafka.EnsureGroup(ctx, c.client, s.group, "", true)
	if err == nil {
		_, err = kafka.EnsureReplies(ctx, c.client, "", name+"-callers", partitions, true)
	}
	topics := []string{
		s.commands(), s.journal(), s.group.SnapshotTopic(""), s.group.DeadLetterTopic(""),
		s.replies, muster.ReplyTopic("", s.name), muster.ControlTopic("", s.name),
	}
	drop = func() {
		after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, _ = c.admin.DeleteTopics(after, topics...) // of topics that a pass did not come to make, the broker says that they are missing
	}
	if err != nil {
		drop()
		return nil, nil, err
	}
	return s, drop, nil
}

func (s *stage) commands() string { return s.group.CommandTopic("") }
func (s *stage) journal() string  { return s.group.JournalTopic("") }

// written gives how many offsets a topic has in all partitions.
func (c *cluster) written(ctx context.Context, topic string) (int64, error) {
	ends, err := c.admin.ListEndOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	ends.Each(func(o kadm.ListedOffset) { sum += o.Offset })
	return sum, nil
}

// poll is how often the end of work is looked for.
const poll = 5 * time.Millisecond

// until asks done again and again until it says so.
func until(ctx context.Context, done func() (bool, error)) error {
	ticks := time.NewTicker(poll)
	defer ticks.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-ticks.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// writer is a bare producer: acknowledged by all replicas, idempotent, without linger, as the engine's are.
func (c *cluster) writer(opts ...kgo.Opt) (*kgo.Client, error) {
	return c.kafka.Client(append([]kgo.Opt{
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(1 << 18), kgo.DisableClientMetrics(),
	}, opts...)...)
}

// reader is a bare consumer of all partitions of a topic.
func (c *cluster) reader(topic string, from kgo.Offset, opts ...kgo.Opt) (*kgo.Client, error) {
	all := make(map[int32]kgo.Offset, partitions)
	for p := range int32(partitions) {
		all[p] = from
	}
	return c.kafka.Client(append([]kgo.Opt{
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: all}), kgo.DisableClientMetrics(),
	}, opts...)...)
}

// known waits until a client shows a topic that it has written to. Before, its EndTransaction would abort and return nil: see docs/design/0008.
func known(ctx context.Context, client *kgo.Client, topic string) error {
	return until(ctx, func() (bool, error) {
		leader, epoch, _ := client.PartitionLeader(topic, 0)
		return leader >= 0 || epoch >= 0, nil
	})
}

// fetched gives the first error of a poll.
func fetched(f kgo.Fetches) error {
	var faults []error
	f.EachError(func(topic string, partition int32, err error) {
		faults = append(faults, fmt.Errorf("fetch %s[%d]: %w", topic, partition, err))
	})
	return errors.Join(faults...)
}
