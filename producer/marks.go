package producer

import (
	"context"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// SendMarks writes marks behind dead letters of a group and returns when all are durable. The error is the first one; when there is one,
// some may have been written, which writing them again does not hurt.
func (s *Sender) SendMarks(ctx context.Context, g *muster.Group, marks []muster.DeadLetterMark) error {
	records := make([]*kgo.Record, len(marks))
	for i := range marks {
		records[i] = kafka.EncodeMark(&marks[i], g)
	}
	return kafka.Map("mark dead letters in "+g.DeadLetterTopic(s.cfg.Kafka.Prefix), s.client.ProduceSync(ctx, records...).FirstErr())
}
