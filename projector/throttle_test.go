package projector_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// floodJournal is a journal whose feeds give so many events at once, and then nothing any more.
type floodJournal int

func (floodJournal) Start(context.Context, muster.Reading, projector.Source) (int64, error) {
	return 0, nil
}

func (floodJournal) Look(context.Context, projector.Source) (projector.Look, error) {
	return projector.Look{}, nil
}

func (n floodJournal) Open(_ context.Context, from map[projector.Source]int64) (projector.Feed, error) {
	d := projector.Delivery{Next: map[projector.Source]int64{}}
	for source := range from {
		for offset := range int64(n) {
			d.Items = append(d.Items, projector.Item{Source: source, Event: &muster.Event{Meta: muster.Meta{Offset: offset}}})
		}
		d.Next[source] = int64(n)
	}
	return &floodFeed{d: d}, nil
}

type floodFeed struct {
	d     projector.Delivery
	given bool
}

func (o *floodFeed) Next(ctx context.Context) (projector.Delivery, error) {
	if o.given {
		<-ctx.Done()
		return projector.Delivery{}, ctx.Err()
	}
	o.given = true
	return o.d, nil
}

func (*floodFeed) Close() {}

// What is built goes at the rate of BuildRate, all its feeds together, in the order of the log and without a gap, however much the journal gives at
// once; from the moment when it serves it goes as fast as it can.
func TestBuildRateLeavesRoomForOthers(t *testing.T) {
	const events, rate, feeds = 1500, 100, 2
	synctest.Test(t, func(t *testing.T) {
		var serves atomic.Bool
		journal := projector.Throttle(floodJournal(events), rate, func() bool { return !serves.Load() })
		type mark struct {
			at    time.Duration
			count int
		}
		begin, marks := time.Now(), make(chan mark, feeds*events)
		for i := range feeds {
			source := projector.Source{Topic: "accounts.events", Partition: int32(i)}
			feed, err := journal.Open(t.Context(), map[projector.Source]int64{source: 0})
			if err != nil {
				t.Fatal(err)
			}
			go func() {
				next := int64(0)
				for {
					d, err := feed.Next(t.Context())
					if err != nil {
						return
					}
					for i := range d.Items {
						if offset := d.Items[i].Event.Offset; offset != next {
							t.Errorf("offset %d after %d", offset, next-1)
						}
						next++
					}
					if d.Next[source] != next {
						t.Errorf("goes on at %d after %d events", d.Next[source], next)
					}
					marks <- mark{time.Since(begin), len(d.Items)}
				}
			}()
		}
		given := 0
		for given < 1000 {
			m := <-marks
			given += m.count
			// What a feed has just got is waited for afterwards: a slice of a tenth of a second each.
			if allowed := int(m.at*rate/time.Second) + feeds*rate/10; given > allowed {
				t.Fatalf("%d events after %v, with a rate of %d", given, m.at, rate)
			}
		}
		if took := time.Since(begin); took > 11*time.Second {
			t.Errorf("%d events took %v, with a rate of %d", given, took, rate)
		}
		serves.Store(true)
		from := time.Now()
		for given < feeds*events {
			given += (<-marks).count
		}
		if took := time.Since(from); took > time.Second {
			t.Errorf("the rest took %v although it serves", took)
		}
	})
}
