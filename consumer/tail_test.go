package consumer_test

import (
	"encoding/binary"
	"hash/crc32"
	"reflect"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/consumer"
)

// Compaction can take the records at the end of a closed segment, and nothing comes that the position could move over. The broker of these
// tests never does that to the last batch, so what it would answer then is answered in its place.
func TestTheEndOfTheJournalIsCompactedAway(t *testing.T) {
	for name, left := range map[string][]byte{"nothing is left": nil, "an empty batch is left": emptyBatch(1, 2)} {
		t.Run(name, func(t *testing.T) {
			c := startEmbedded(t, 1)
			c.write(c.event(1))
			c.fake.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
				c.fake.KeepControl()
				request := r.(*kmsg.FetchRequest)
				response := request.ResponseKind().(*kmsg.FetchResponse)
				if len(request.Topics) > 0 && request.Topics[0].Partitions[0].FetchOffset == 0 {
					return nil, nil, false
				}
				for _, topic := range request.Topics {
					answer, part := kmsg.NewFetchResponseTopic(), kmsg.NewFetchResponseTopicPartition()
					answer.Topic, answer.TopicID = topic.Topic, topic.TopicID
					part.HighWatermark, part.LastStableOffset, part.RecordBatches = 3, 3, left
					if topic.Partitions[0].FetchOffset > 1 {
						part.RecordBatches = nil
					}
					answer.Partitions = append(answer.Partitions, part)
					response.Topics = append(response.Topics, answer)
				}
				return response, nil, true
			})
			var got revisions
			next, err := consumer.ReadJournal(within(t), c.journal(), 0, 0, 3, got.take, nil)
			if err != nil || next != 3 || !reflect.DeepEqual(got, revisions{1}) {
				t.Fatalf("revisions %v, next %d, %v; want 1, next 3", got, next, err)
			}
		})
	}
}

// emptyBatch is what compaction leaves of a batch whose records are all gone.
func emptyBatch(first, last int64) []byte {
	b := make([]byte, 61)
	binary.BigEndian.PutUint64(b, uint64(first))
	binary.BigEndian.PutUint32(b[8:], 61-12)
	b[16] = 2
	binary.BigEndian.PutUint32(b[23:], uint32(last-first))
	binary.BigEndian.PutUint32(b[17:], crc32.Checksum(b[21:], crc32.MakeTable(crc32.Castagnoli)))
	return b
}

func TestEmptyBatchesArePassed(t *testing.T) {
	empty, full := emptyBatch(5, 9), emptyBatch(10, 12)
	binary.BigEndian.PutUint32(full[57:], 3)
	for name, test := range map[string]struct {
		batches []byte
		want    int64
	}{
		"none":             {nil, 0},
		"one":              {empty, 10},
		"two":              {append(append([]byte{}, empty...), emptyBatch(20, 20)...), 21},
		"before a full":    {append(append([]byte{}, empty...), full...), 10},
		"a full one first": {append(append([]byte{}, full...), empty...), 0},
		"cut off":          {append(append([]byte{}, empty...), empty[:40]...), 10},
	} {
		if got := consumer.PastEmpty(test.batches); got != test.want {
			t.Errorf("%s: %d; want %d", name, got, test.want)
		}
	}
}

func FuzzPastEmpty(f *testing.F) {
	f.Add(emptyBatch(5, 9))
	f.Add(append(emptyBatch(0, 0), emptyBatch(1<<40, 1<<40+7)...))
	f.Fuzz(func(t *testing.T, batches []byte) {
		next := consumer.PastEmpty(batches)
		if len(batches) < 61 && next != 0 {
			t.Fatalf("%d bytes moved the position to %d", len(batches), next)
		}
	})
}
