package service

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/projector"
)

// journals implements [projector.Journal] with feeds.
type journals struct{ feeds *consumer.Feeds }

// Start implements [projector.Journal].
func (j journals) Start(ctx context.Context, reading muster.Reading, source projector.Source) (int64, error) {
	at, err := j.feeds.Start(ctx, reading, consumer.Source(source))
	return at, journalFault(err)
}

// Look implements [projector.Journal].
func (j journals) Look(ctx context.Context, source projector.Source) (projector.Look, error) {
	look, err := j.feeds.Look(ctx, consumer.Source(source))
	return projector.Look(look), journalFault(err)
}

// Open implements [projector.Journal].
func (j journals) Open(ctx context.Context, from map[projector.Source]int64) (projector.Feed, error) {
	places := make(map[consumer.Source]int64, len(from))
	for source, offset := range from {
		places[consumer.Source(source)] = offset
	}
	feed, err := j.feeds.Open(ctx, places)
	if err != nil {
		return nil, journalFault(err)
	}
	return &journalFeed{feed: feed}, nil
}

// journalFault gives an error the name that a runner knows it by.
func journalFault(err error) error {
	switch {
	case errors.Is(err, consumer.ErrDataLoss):
		return fmt.Errorf("%w: %w", projector.ErrAhead, err)
	case errors.Is(err, consumer.ErrRecreated):
		return fmt.Errorf("%w: %w", projector.ErrRecreated, err)
	}
	return err
}

// journalFeed implements [projector.Feed].
type journalFeed struct {
	feed  *consumer.Feed
	items []projector.Item // of the delivery that is out; used again for the next one
}

// Next implements [projector.Feed].
func (f *journalFeed) Next(ctx context.Context) (projector.Delivery, error) {
	portions, err := f.feed.Next(ctx)
	if err != nil {
		return projector.Delivery{}, journalFault(err)
	}
	clear(f.items) // the last ones may be fewer, and would keep their memory
	d := projector.Delivery{Items: f.items[:0], Next: make(map[projector.Source]int64, len(portions)), High: make(map[projector.Source]int64, len(portions))}
	for _, p := range portions {
		source := projector.Source(p.Source)
		d.Next[source], d.High[source] = p.Next, p.High
		for _, m := range p.Marks {
			if d.Trimmed == nil {
				d.Trimmed = map[projector.Source][]projector.Trimmed{}
			}
			d.Trimmed[source] = append(d.Trimmed[source], projector.Trimmed(m))
		}
		for i := range p.Events {
			item := projector.Item{Source: source, Event: &p.Events[i]}
			if p.Bad != nil {
				item.Bad = p.Bad[i]
			}
			d.Items = append(d.Items, item)
		}
	}
	f.items = d.Items
	return d, nil
}

// Close implements [projector.Feed].
func (f *journalFeed) Close() { f.feed.Close() }
