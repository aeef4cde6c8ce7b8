package kafka_test

import (
	"math"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"github.com/seed-3eec0498/muster/kafka"
)

// The hashes that Apache Kafka's own UtilsTest expects of murmur2. Partition shows all but the sign bit when it divides by 2^31-1.
func TestPartitionHasThePublishedHashes(t *testing.T) {
	for key, hash := range map[string]int32{
		"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "a-little-bit-longer-string": -1486304829,
		"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971, "abc": 479470107,
	} {
		want := (hash & math.MaxInt32) % math.MaxInt32
		if got := kafka.Partition(key, math.MaxInt32); got != want {
			t.Errorf("Partition(%q) = %d, want %d", key, got, want)
		}
	}
}

func TestPartitionAgreesWithTheClientLibrary(t *testing.T) {
	theirs := kgo.StickyKeyPartitioner(nil).ForTopic("t")
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SliceOf(rapid.Byte()).Draw(t, "key")
		n := rapid.Int32Range(1, 10_000).Draw(t, "partitions")
		want := theirs.Partition(&kgo.Record{Key: append([]byte{}, key...)}, int(n))
		if got := kafka.Partition(string(key), n); int(got) != want {
			t.Fatalf("Partition(%q, %d) = %d, theirs %d", key, n, got, want)
		}
	})
}
