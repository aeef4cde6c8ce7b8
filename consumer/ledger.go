package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/kafka"
)

// LedgerConfig says whose checkpoints topic is read.
type LedgerConfig struct {
	Kafka   kafka.Config
	Service string
	// Logger hears of what is waited for. Nil means that nothing is logged.
	Logger *slog.Logger
	// Hidden is called when an open transaction has hidden the rest of a partition for two seconds, and every two seconds from then on. May be nil.
	Hidden func(ctx context.Context, partition int32)
}

// hiddenAfter is longer than transactions of holders that live, and shorter than what anybody likes to wait.
const hiddenAfter = 2 * time.Second

// ReadLedger hands the committed entries of one shard to fn, in the order of the log: of entries with one key the last one counts. It reads up to
// the high watermark at its start, so it must be called after the shard was claimed. An open transaction of another shard in the same partition
// is waited for, as long as ctx allows. The error is that of ctx or fn, or names the record that cannot be read.
func ReadLedger(ctx context.Context, config LedgerConfig, shard kafka.LedgerShard, fn func(kafka.LedgerRecord) error) error {
	if err := config.Kafka.Validate(); err != nil {
		return err
	}
	topic, partition := kafka.LedgerTopic(config.Kafka.Prefix, config.Service), shard.Partition()
	right := kafka.On(kafka.TopicResource, topic, "Read")
	client, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return err
	}
	from, _, err := stableRange(ctx, client, topic, partition)
	client.Close()
	if err != nil {
		return config.Kafka.Map("read "+topic, err, right...)
	}
	to, err := endOf(ctx, config.Kafka, topic, partition)
	if err != nil {
		return config.Kafka.Map("end of "+topic, err, right...)
	}
	if from >= to {
		return nil
	}
	log, told := orDiscard(config.Logger), time.Now()
	r := &journalReader{
		config: JournalConfig{Kafka: config.Kafka, Logger: config.Logger}, log: log, topic: topic, partition: partition, next: from, to: to,
		accept: func(record *kgo.Record) error {
			if record.Attrs.IsControl() {
				return nil
			}
			entry, err := kafka.DecodeLedger(record, shard)
			if errors.Is(err, kafka.ErrForeign) {
				return nil
			}
			if err != nil {
				return fmt.Errorf("shard %s: %w", shard, err)
			}
			return fn(entry)
		},
		flush: func() error { return nil },
		stalled: func(at int64) {
			if time.Since(told) < hiddenAfter {
				return
			}
			told = time.Now()
			log.WarnContext(ctx, "an open transaction hides what is known of a shard; it ends by itself with the transaction timeout of the instance that died",
				"topic", topic, "partition", partition, "offset", at, "shard", shard.String())
			if config.Hidden != nil {
				config.Hidden(ctx, partition)
			}
		},
	}
	_, err = r.run(ctx)
	return err
}
