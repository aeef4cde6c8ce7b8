package consumer

import (
	"context"
	"errors"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// DeadRecord is one record of a dead letter topic: a letter, or a mark that says what became of one, or something that claims to be one of
// them and cannot be read.
type DeadRecord struct {
	At      muster.Position
	Letter  muster.DeadLetter
	Omitted string                 // what the letter had to leave out, as its header says
	Mark    *muster.DeadLetterMark // then there is no Letter
	Fault   error                  // then there is neither
}

// Stretch is what a partition holds: the offsets From <= o < To.
type Stretch struct{ From, To int64 }

// DeadLetterRanges gives, per partition, the committed stretch of the group's dead letter topic.
func DeadLetterRanges(ctx context.Context, config JournalConfig) (map[int32]Stretch, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	client, err := config.Kafka.Client(kgo.MetadataMinAge(metadataAge))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	adm, topic := kadm.NewClient(client), config.Group.DeadLetterTopic(config.Kafka.Prefix)
	found := map[int32]Stretch{}
	err = whenSettled(ctx, func() error {
		starts, err := adm.ListStartOffsets(ctx, topic)
		if err != nil {
			return err
		}
		ends, err := adm.ListCommittedOffsets(ctx, topic)
		if err != nil {
			return err
		}
		for p := range config.Group.Partitions() {
			from, err := listed(starts, topic, p)
			if err != nil {
				return err
			}
			to, err := listed(ends, topic, p)
			if err != nil {
				return err
			}
			found[p] = Stretch{From: from, To: max(from, to)}
		}
		return nil
	})
	return found, kafka.Map("offsets of "+topic, err)
}

// DeadLetterEnd gives the high watermark of one partition of the group's dead letter topic.
func DeadLetterEnd(ctx context.Context, config JournalConfig, partition int32) (int64, error) {
	end, err := endOf(ctx, config.Kafka, config.Group.DeadLetterTopic(config.Kafka.Prefix), partition)
	return end, kafka.Map("end of the dead letters", err)
}

// ReadDeadLetters hands the committed records of one partition of the group's dead letter topic with offsets from <= o < to to fn, in log
// order. It returns the offset to read next, and the error of ctx or fn, or [ErrDataLoss] when retention has deleted from meanwhile.
func ReadDeadLetters(ctx context.Context, config JournalConfig, partition int32, from, to int64, fn func(DeadRecord) error) (next int64, err error) {
	if err := config.Validate(); err != nil {
		return from, err
	}
	if from >= to {
		return from, nil
	}
	r := &journalReader{
		config: config, log: orDiscard(config.Logger).With("group", config.Group.Name()), topic: config.Group.DeadLetterTopic(config.Kafka.Prefix),
		partition: partition, next: from, to: to, flush: func() error { return nil },
	}
	r.accept = func(record *kgo.Record) error {
		if record.Attrs.IsControl() || record.Offset < from {
			return nil
		}
		d, known := deadRecord(record, config.Group)
		if !known {
			return nil
		}
		return fn(d)
	}
	return r.run(ctx)
}

// deadRecord reads a record; known is false for one that the toolkit did not write.
func deadRecord(record *kgo.Record, g *muster.Group) (d DeadRecord, known bool) {
	d.At = muster.Position{Topic: record.Topic, Partition: record.Partition, Offset: record.Offset}
	letter, err := kafka.DecodeDeadLetter(record, g)
	switch {
	case err == nil:
		d.Letter, d.Omitted = letter, kafka.Omitted(record)
	case errors.Is(err, kafka.ErrMark):
		mark, err := kafka.DecodeMark(record, g)
		if err != nil {
			d.Fault = err
			return d, true
		}
		d.Mark = &mark
	case errors.Is(err, kafka.ErrForeign):
		return d, false
	default:
		d.Fault = err
	}
	return d, true
}
