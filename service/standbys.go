package service

import (
	"context"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// copyBuffer is what the events of one partition may take in memory that have arrived for a copy: copies are no hurry, and there may be many.
const copyBuffer = 1 << 20

// openCopyJournal gives the copies of a runner a reader of their own: what is buffered for them holds up nothing that is served.
func (s *Service) openCopyJournal(ctx context.Context, d *projector.Definition) (projector.Journal, func(), error) {
	feeds, err := consumer.OpenFeeds(ctx, consumer.FeedsConfig{
		Kafka: s.cfg.connection(), Groups: d.Groups(), BufferBytes: copyBuffer, Foreign: s.foreign, Logger: s.log.With("projection", d.String()),
	})
	if err != nil {
		return nil, nil, err
	}
	return journals{feeds}, feeds.Close, nil
}

// copiesOf tells the group how far the rows reach that lie here, of shards that are held, of copies, and of what was held once: who has most of a
// shard that nobody holds is to get it.
func (s *Service) copiesOf(part projector.Part) func() map[int32]int64 {
	if _, is := part.(projector.AnyView); !is {
		return nil
	}
	d := part.Definition()
	return func() map[int32]int64 {
		reach, err := s.views.Reach(d)
		if err != nil {
			s.log.Warn("how far the rows here reach cannot be read, so shards may go to instances with less", "projection", d.String(), "error", err)
		}
		return reach
	}
}
