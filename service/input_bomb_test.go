package service_test

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// bombBytes is what the batch becomes in memory: over the 64 MiB a client allows.
const bombBytes = 72 << 20

// bomb is a record batch, version 2 (KIP-98), of one record whose compressed value is nothing but zeros. Crafted by hand, because no client
// library builds it.
func bomb(t *testing.T, codec kgo.CompressionCodec) []byte {
	t.Helper()
	var record []byte
	record = append(record, 0)              // attributes
	record = binary.AppendVarint(record, 0) // timestamp delta
	record = binary.AppendVarint(record, 0) // offset delta
	record = binary.AppendVarint(record, int64(len("acc-1")))
	record = append(record, "acc-1"...)
	record = binary.AppendVarint(record, bombBytes)
	record = append(record, make([]byte, bombBytes)...)
	record = binary.AppendVarint(record, 0) // headers
	compressor, err := kgo.DefaultCompressor(codec)
	if err != nil {
		t.Fatal(err)
	}
	packed, used := compressor.Compress(&bytes.Buffer{}, append(binary.AppendVarint(nil, int64(len(record))), record...))

	now := time.Now().UnixMilli()
	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: int16(used), FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, NumRecords: 1, Records: packed,
	}
	batch.Length = int32(len(batch.AppendTo(nil)) - 12)
	raw := batch.AppendTo(nil)
	crc := crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli))
	binary.BigEndian.PutUint32(raw[17:], crc)
	return raw
}

// A batch that decompresses to more than memory should hold is one refused command; those before and behind it are done.
func TestInputBomb(t *testing.T) {
	if testing.Short() {
		t.Skip("decompresses 64 MiB twice; the same path is tested with small limits in package consumer")
	}
	for name, codec := range map[string]kgo.CompressionCodec{"gzip": kgo.GzipCompression(), "zstd": kgo.ZstdCompression()} {
		t.Run(name, func(t *testing.T) {
			st := newStage(t, kafkatest.Brokers(t), 1)
			cfg := st.config()
			cfg.SessionTimeout = patientSession // decompressing takes its time, and who is taken for dead meets the bomb again
			s := start(t, cfg, st.owner(nil))
			st.write(st.command("acc-1", `{"Amount":1}`, head("ce_type", "bank.Deposit")))
			st.writeBatch(bomb(t, codec))
			st.write(st.command("acc-1", `{"Amount":1}`, head("ce_type", "bank.Deposit")))
			d := st.letters(1)[0]
			if d.Cause.Reason != muster.ReasonTooLarge || d.Command.Offset != 1 {
				t.Errorf("dead letter %+v of %v; want the batch at offset 1 as too large", d.Cause, d.Command.Position())
			}
			got, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 1})
			if err != nil || got.Balance != 3 {
				t.Errorf("behind the bomb: %+v, %v; want 3", got, err)
			}
			if n := st.counter("muster_fetch_faults_total", map[string]string{"group": st.group.Name()}); n != 1 {
				t.Errorf("muster_fetch_faults_total is %v; want 1", n)
			}
		})
	}
}

// writeBatch writes one record batch into partition 0 of the command topic as it is.
func (st *stage) writeBatch(batch []byte) {
	st.t.Helper()
	ctx := st.within()
	topics, err := kadm.NewClient(st.raw).ListTopics(ctx, st.group.CommandTopic(""))
	if err != nil {
		st.t.Fatal(err)
	}
	found := topics[st.group.CommandTopic("")]
	request := kmsg.NewPtrProduceRequest()
	request.Acks, request.TimeoutMillis = -1, 5000
	topic, partition := kmsg.NewProduceRequestTopic(), kmsg.NewProduceRequestTopicPartition()
	topic.Topic, topic.TopicID, partition.Records = st.group.CommandTopic(""), found.ID, batch
	topic.Partitions = append(topic.Partitions, partition)
	request.Topics = append(request.Topics, topic)
	response, err := st.raw.Broker(int(found.Partitions[0].Leader)).Request(ctx, request)
	if err != nil {
		st.t.Fatal(err)
	}
	if err := kerr.ErrorForCode(response.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode); err != nil {
		st.t.Fatalf("the broker refuses the batch: %v", err)
	}
}
