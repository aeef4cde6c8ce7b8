package consumer_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
)

// commitNobody commits an offset as an operator's tool would, while the group has no member.
func (c *cluster) commitNobody(partition int32, at int64) {
	c.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(c.commands(), partition, at, -1)
	if err := c.adm.CommitAllOffsets(within(c.t), c.group.Name(), offsets); err != nil {
		c.t.Fatal(err)
	}
}

// deleteRecords deletes the commands of partition 0 before an offset.
func (c *cluster) deleteRecords(before int64) {
	c.t.Helper()
	var offsets kadm.Offsets
	offsets.AddOffset(c.commands(), 0, before, -1)
	if deleted, err := c.adm.DeleteRecords(within(c.t), offsets); err != nil || deleted.Error() != nil {
		c.t.Fatal(err, deleted.Error())
	}
}

func TestACommittedOffsetOutsideOfTheLog(t *testing.T) {
	for name, committed := range map[string]int64{"deleted meanwhile": 5, "behind the end": 100} {
		t.Run(name, func(t *testing.T) {
			c := start(t, 1)
			c.send(c.keys()[0], 0, 20)
			c.commitNobody(0, committed)
			c.deleteRecords(10)
			config, told := oneLane(c.config("a")), newFaults()
			config.OnFault = told.hear
			m := run(t, config)
			m.serveAll(1)
			if err := told.wait(t); !strings.Contains(err.Error(), fmt.Sprint(committed)) || !strings.Contains(err.Error(), "10") {
				t.Fatalf("told: %v; want the offset it was at and the one it goes on at", err)
			}
			if got := payloads(m.poll(0).Commands)[0]; got[0] != "10" {
				t.Fatalf("serving began at %s; want the start of the log", got[0])
			}
		})
	}
}

func TestCommandsDeletedWhileTheyAreWaitedFor(t *testing.T) {
	c := start(t, 1)
	key := c.keys()[0]
	for i := range 20 {
		c.send(key, i, 1) // one batch each
	}
	config, told := oneLane(c.config("a", kgo.FetchMaxPartitionBytes(1))), newFaults()
	config.OnFault, config.BufferBytes = told.hear, 1 // one fetch fills the buffer
	m := run(t, config)
	m.serveAll(1)
	w := m.poll(0)
	c.deleteRecords(15)
	w.Done(len(w.Commands))
	if err := told.wait(t); !errors.Is(err, kerr.OffsetOutOfRange) || !strings.Contains(err.Error(), "15") {
		t.Fatalf("told: %v; want an offset out of range and where serving goes on", err)
	}
	var got []string
	for len(got) == 0 || got[len(got)-1] != "19" {
		w := m.poll(0)
		got = append(got, payloads(w.Commands)[0]...)
		w.Done(len(w.Commands))
	}
	if !slices.Equal(got[len(got)-5:], numbers(15, 5)) {
		t.Fatalf("handed out: %v; want 15 to 19 at the end", got)
	}
}

// writeBatch writes records as one compressed batch.
func (c *cluster) writeBatch(records ...*kgo.Record) {
	c.t.Helper()
	client, err := c.kafka.Client(kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(50*time.Millisecond),
		kgo.ProducerBatchCompression(kgo.GzipCompression()))
	if err != nil {
		c.t.Fatal(err)
	}
	defer client.Close()
	if err := client.ProduceSync(within(c.t), records...).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
}

// A batch that decompresses to more than the client allows is one refused command, and the next command is served.
func TestADecompressionBomb(t *testing.T) {
	c := start(t, 1)
	key := c.keys()[0]
	c.send(key, 0, 3)
	c.writeBatch(c.record(key, strings.Repeat("0", 300_000)), c.record(key, strings.Repeat("1", 300_000)), c.record(key, strings.Repeat("2", 300_000)))
	c.send(key, 3, 3)

	config, told := oneLane(c.config("a", kgo.MaxDecompressBatchBytes(400_000))), newFaults()
	config.OnFault = told.hear
	m := run(t, config)
	m.serveAll(1)
	if err := told.wait(t); !strings.Contains(err.Error(), "3 to 5") {
		t.Fatalf("told: %v; want the offsets of the batch", err)
	}
	eventually(t, "the commands behind the batch are buffered", func() bool { return m.Buffered() == 7 })
	w := m.poll(0)
	faulty := w.Commands[3]
	if faulty.Fault == nil || faulty.Fault.Reason != muster.ReasonTooLarge || faulty.Offset != 5 || len(faulty.Payload) > 0 {
		t.Fatalf("in place of the batch came offset %d, fault %v", faulty.Offset, faulty.Fault)
	}
	if got := payloads(w.Commands)[0]; !slices.Equal(got, []string{"0", "1", "2", "", "3", "4", "5"}) {
		t.Fatalf("handed out: %v", got)
	}
	w.Done(2)
	w = m.poll(0)
	if w.Commands[1].Fault == nil || w.Commands[1].Fault.Reason != muster.ReasonTooLarge {
		t.Fatalf("handed out again, the batch has the fault %v", w.Commands[1].Fault)
	}
	if err := c.commit(within(t), m.Consumer, w.Commands[:2]); err != nil {
		t.Fatal(err)
	}
	w.Done(2)

	m.stop()
	<-m.done
	again := run(t, config)
	again.serveAll(1)
	if got := payloads(again.poll(0).Commands)[0]; got[0] != "3" {
		t.Fatalf("after a restart serving began at %q; want the command behind the batch", got[0])
	}
}

func TestAPartitionThatCannotBeReadIsTriedAgain(t *testing.T) {
	c := startEmbedded(t, 2)
	keys := c.keys()
	c.send(keys[0], 0, 1)
	c.send(keys[1], 0, 1)
	c.fake.Fault(kfake.Fault{
		Keys: []kmsg.Key{kmsg.Fetch}, Topic: c.commands(), Partitions: []int32{0}, Err: kerr.TopicAuthorizationFailed, Count: 2,
	})
	config, told := oneLane(c.config("a")), newFaults()
	config.OnFault = told.hear
	m := run(t, config)
	m.serveAll(2)
	if err := told.wait(t); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), c.commands()+"[0]") {
		t.Fatalf("told: %v", err)
	}
	eventually(t, "both partitions are read in the end", func() bool { return m.Buffered() == 2 })
	if err := told.sofar(); len(err) != 1 {
		t.Fatalf("told %d times: %v; want once", len(err), err)
	}
}

func TestATopicMadeAgainEndsRun(t *testing.T) {
	t.Parallel() // it waits most of the time
	c := start(t, 1)
	c.send(c.keys()[0], 0, 1)
	m := run(t, c.config("a"))
	m.serveAll(1)
	topic := c.commands()
	if _, err := c.adm.DeleteTopic(within(t), topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic is made again", func() bool {
		_, err := c.adm.CreateTopic(within(t), 1, 1, nil, topic)
		return err == nil
	})
	select {
	case <-m.done:
	case <-within(t).Done():
		t.Fatal("Run went on")
	}
	if !errors.Is(m.err, kerr.UnknownTopicID) || !strings.Contains(m.err.Error(), topic) {
		t.Fatalf("Run gave %v; want an error that names the topic and says that it was made again", m.err)
	}
}

// A backlog does not grow the buffers: fetching of a full partition stops, that of others goes on.
func TestABacklogIsBounded(t *testing.T) {
	const bound, batch = 400_000, 100_000
	c := start(t, 2)
	keys := c.keys()
	for range 40 {
		c.write(c.record(keys[0], strings.Repeat("x", batch)))
	}
	config := oneLane(c.config("a", kgo.FetchMaxPartitionBytes(1))) // one batch per fetch
	config.BufferBytes, config.BatchRecords = bound, 2
	m := run(t, config)
	m.serveAll(2)
	eventually(t, "the buffer is full", func() bool { return m.BufferedBytes() >= bound })
	for i := range 3 {
		before := m.Buffered()
		c.send(keys[1], i, 1)
		eventually(t, "the other partition is read", func() bool { return m.Buffered() > before })
	}
	for seen, most := 0, 0; seen < 43; {
		most = max(most, m.BufferedBytes())
		if most > bound+2*batch {
			t.Fatalf("the buffers hold %d bytes with a bound of %d", most, bound)
		}
		w := m.poll(0)
		seen += len(w.Commands)
		w.Done(len(w.Commands))
	}
}
