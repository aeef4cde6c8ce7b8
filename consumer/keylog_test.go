package consumer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/mustertest"
)

var _ crypto.KeyLog = (*consumer.KeyLog)(nil)

// keySpace makes the topics of a key space, and gives the key topic.
func (c *cluster) keySpace(t testing.TB) string {
	t.Helper()
	space := kafkatest.UniqueName(t, "people")
	if err := kafka.EnsureKeys(within(t), c.client, "", space, true); err != nil {
		t.Fatal(err)
	}
	return kafka.KeyTopic("", space)
}

func (c *cluster) keyLog(t testing.TB, topic string) *consumer.KeyLog {
	t.Helper()
	log, err := consumer.OpenKeyLog(within(t), c.kafka, topic)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(log.Close)
	return log
}

func (c *cluster) topicKeys(t testing.TB, topic string) *crypto.TopicKeys {
	t.Helper()
	store, err := crypto.OpenTopicKeys(within(t), c.keyLog(t, topic), crypto.TopicKeysConfig{Age: time.Nanosecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(store.Close)
	return store
}

// keyStores are two processes on a key topic.
func (c *cluster) keyStores(t testing.TB) mustertest.KeyStoreFixture {
	topic := c.keySpace(t)
	store := c.topicKeys(t, topic)
	return mustertest.KeyStoreFixture{Steps: 3, Store: store, Other: c.topicKeys(t, topic), Restart: func(t testing.TB) crypto.KeyStore {
		store.Close()
		store = c.topicKeys(t, topic)
		return store
	}}
}

func TestKeyLogConformance(t *testing.T) {
	c := start(t, 1)
	mustertest.KeyStore(t, c.keyStores)
}

// Two processes on a real log in random order, also with restarts, never say anything but what the model says.
func TestKeyLogMachine(t *testing.T) {
	c := start(t, 1)
	mustertest.KeyStoreMachine(t, c.keyStores)
}

// Two processes follow one topic: what one appends, the other reads, in order and whole, whenever it comes.
func TestKeyLogOrder(t *testing.T) {
	c := start(t, 1)
	topic := c.keySpace(t)
	one, other := c.keyLog(t, topic), c.keyLog(t, topic)
	const count = 50
	var offsets []int64
	for i := range count {
		offset, err := one.Append(within(t), 3, []byte("key"), []byte{byte(i)})
		if err != nil {
			t.Fatal(err)
		}
		offsets = append(offsets, offset)
	}
	ends, err := other.End(within(t))
	if err != nil || len(ends) != kafka.KeyPartitions || ends[3] != offsets[count-1]+1 {
		t.Fatalf("ends %v, %v", ends, err)
	}
	for _, from := range []int64{0, 20} {
		ctx, cancel := context.WithCancel(within(t))
		starts, seen := make([]int64, kafka.KeyPartitions), 0
		starts[3] = offsets[from]
		err = other.Follow(ctx, starts, func(partition int32, offset int64, key, value []byte) {
			if at := int(from) + seen; partition != 3 || offset != offsets[at] || string(key) != "key" || value[0] != byte(at) {
				t.Errorf("record %d is %q, %v at %d[%d]", at, key, value, partition, offset)
			}
			seen++
		}, func(partition int32, next int64) {
			if partition == 3 && next == ends[3] {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || seen != count-int(from) {
			t.Errorf("from %d: %d records, %v", from, seen, err)
		}
	}
}

// A topic that was deleted and made again has none of the keys: nobody may take that for "no such key".
func TestKeyLogOfATopicMadeAgain(t *testing.T) {
	c := start(t, 1)
	topic := c.keySpace(t)
	log := c.keyLog(t, topic)
	ctx := within(t)
	id := func() kadm.TopicID {
		topics, err := c.adm.ListTopics(ctx, topic)
		if err != nil {
			t.Fatal(err)
		}
		return topics[topic].ID
	}
	old := id()
	if _, err := c.adm.DeleteTopics(ctx, topic); err != nil {
		t.Fatal(err)
	}
	for { // a broker may know the old one for a moment
		err := kafka.EnsureKeys(ctx, c.client, "", topic[:len(topic)-len(".keys")], true)
		if now := id(); err == nil && now != old && now != (kadm.TopicID{}) {
			break
		} else if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
	err := log.Follow(ctx, make([]int64, kafka.KeyPartitions), func(int32, int64, []byte, []byte) {}, func(int32, int64) {})
	if err == nil || !strings.Contains(err.Error(), "deleted and made again") {
		t.Errorf("following a topic that was made again: %v", err)
	}
}

// What somebody gives up takes nothing with it that is added next, as with a table.
func TestKeyLogBehindWhatIsGivenUp(t *testing.T) {
	c := start(t, 1)
	log := c.keyLog(t, c.keySpace(t))
	for n := range 300 {
		ctx, giveUp := context.WithCancel(within(t))
		go giveUp()
		_, _ = log.Append(ctx, 0, []byte("k"), []byte("given up, or not"))
		if _, err := log.Append(within(t), 0, []byte("k"), []byte("v")); err != nil {
			t.Fatalf("append %d: %v", n, err)
		}
	}
}
