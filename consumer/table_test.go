package consumer_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// control makes the control topic of a service.
func (c *cluster) control(t testing.TB) string {
	t.Helper()
	service := kafkatest.UniqueName(t, "bank")
	if err := kafka.EnsureControl(within(t), c.client, "", service, true); err != nil {
		t.Fatal(err)
	}
	return muster.ControlTopic("", service)
}

func (c *cluster) table(t testing.TB, topic string) *consumer.Table {
	t.Helper()
	table, err := consumer.OpenTable(within(t), c.kafka, topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	return table
}

// What one writes, the others see: those that are there, at once; those that come later, when they open.
func TestATableIsTheSameForAll(t *testing.T) {
	c := start(t, 1)
	topic := c.control(t)
	one, other := c.table(t, topic), c.table(t, topic)
	numbers := []int64{}
	for i := range 20 {
		n, err := one.Put(within(t), fmt.Sprintf("k%d", i%5), []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		numbers = append(numbers, n)
	}
	if _, err := other.Put(within(t), "k3", nil); err != nil {
		t.Fatal(err)
	}
	for name, table := range map[string]*consumer.Table{"writer": one, "other": other, "later": c.table(t, topic)} {
		if err := table.Sync(within(t)); err != nil {
			t.Fatal(err)
		}
		entries, _ := table.Entries()
		if len(entries) != 4 || entries["k4"].Number != numbers[19] || entries["k4"].Value[0] != 19 || entries["k4"].Time.IsZero() {
			t.Errorf("%s: %v", name, entries)
		}
		if _, there := entries["k3"]; there {
			t.Errorf("%s: a removed key is there", name)
		}
	}
	for i := range numbers[1:] {
		if numbers[i+1] <= numbers[i] {
			t.Fatalf("numbers do not grow: %v", numbers)
		}
	}
}

// Who waits for more is woken.
func TestATableWakesWhoWaits(t *testing.T) {
	c := start(t, 1)
	topic := c.control(t)
	reader, writer := c.table(t, topic), c.table(t, topic)
	ctx := within(t)
	for i := range 5 {
		key := fmt.Sprintf("key-%d", i)
		_, changed := reader.Entries()
		if _, err := writer.Put(ctx, key, []byte("x")); err != nil {
			t.Fatal(err)
		}
		for {
			entries, _ := reader.Entries()
			if _, there := entries[key]; there {
				break
			}
			select {
			case <-changed:
				_, changed = reader.Entries()
			case <-ctx.Done():
				t.Fatal("nobody said that there is more")
			}
		}
	}
}

// A tail that is not there any more, by compaction or because the beginning was cut off, is no reason to wait for it.
func TestATableWithoutItsTail(t *testing.T) {
	c := start(t, 1)
	topic := c.control(t)
	writer := c.table(t, topic)
	for _, value := range []string{"a", "b", ""} {
		if _, err := writer.Put(within(t), "k", []byte(value)); err != nil {
			t.Fatal(err)
		}
	}
	to := kadm.Offsets{}
	to.Add(kadm.Offset{Topic: topic, Partition: 0, At: 3, LeaderEpoch: -1})
	if cut, err := c.adm.DeleteRecords(within(t), to); err != nil || cut.Error() != nil {
		t.Skipf("these brokers delete no records of a compacted topic: %v, %v", err, cut.Error())
	}
	late := c.table(t, topic)
	if entries, _ := late.Entries(); len(entries) != 0 {
		t.Errorf("entries: %v", entries)
	}
	if n, err := late.Put(within(t), "k", []byte("c")); err != nil || n != 3 {
		t.Errorf("number %d, %v", n, err)
	}
	if err := late.Sync(within(t)); err != nil {
		t.Error(err)
	}
	if entries, _ := late.Entries(); string(entries["k"].Value) != "c" {
		t.Errorf("entries: %v", entries)
	}
}

// Misuse and the end have errors of their own.
func TestATableRefuses(t *testing.T) {
	c := start(t, 1)
	table := c.table(t, c.control(t))
	if _, err := table.Put(within(t), "", []byte("x")); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("no key: %v", err)
	}
	if _, err := table.Put(within(t), "k", make([]byte, 1<<20)); muster.CodeOf(err) != muster.InvalidArgument {
		t.Errorf("a value of 1 MiB: %v", err)
	}
	ended, cancel := context.WithCancel(within(t))
	cancel()
	if err := table.Sync(ended); err == nil {
		t.Error("Sync with a context that has ended gave nil")
	}
	if _, err := table.Put(ended, "k", nil); err == nil {
		t.Error("Put with a context that has ended gave nil")
	}
}

// Whoever puts and gives up gets an answer, also when nobody knows what became of the entry: kgo keeps such a record until it does.
func TestPutThatIsGivenUp(t *testing.T) {
	c := start(t, 1)
	topic := c.control(t)
	wire, connection := &kafkatest.Tap{}, c.kafka
	connection.Options = append(wire.Option(), connection.Options...)
	table, err := consumer.OpenTable(within(t), connection, topic, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	if _, err := table.Put(within(t), "k", []byte("before")); err != nil {
		t.Fatal(err)
	}
	wire.Arm(kmsg.Produce, 1_000_000, false)
	ctx, giveUp := context.WithCancel(within(t))
	go func() {
		for wire.Losses() == 0 && ctx.Err() == nil {
			runtime.Gosched()
		}
		giveUp()
	}()
	answered := make(chan error, 1)
	go func() {
		_, err := table.Put(ctx, "k", []byte("who knows"))
		answered <- err
	}()
	select {
	case err := <-answered:
		if !errors.Is(err, context.Canceled) || wire.Losses() == 0 {
			t.Errorf("%v after %d lost answers; want the end of the context", err, wire.Losses())
		}
	case <-within(t).Done():
		t.Error("Put does not return")
	}
	wire.Mend()
}

// What somebody gives up takes nothing with it that is put next: kgo lets go of a record together with those that are buffered behind it.
func TestPutBehindOneThatIsGivenUp(t *testing.T) {
	c := start(t, 1)
	table, err := consumer.OpenTable(within(t), c.kafka, c.control(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(table.Close)
	for n := range 300 {
		ctx, giveUp := context.WithCancel(within(t))
		go giveUp()
		_, _ = table.Put(ctx, "k", []byte("given up, or not"))
		if _, err := table.Put(within(t), "k", fmt.Append(nil, n)); err != nil {
			t.Fatalf("put %d: %v", n, err)
		}
		if err := table.Sync(within(t)); err != nil {
			t.Fatal(err)
		}
		if entries, _ := table.Entries(); string(entries["k"].Value) != fmt.Sprint(n) {
			t.Fatalf("the table has %q, want %d", entries["k"].Value, n)
		}
	}
}
