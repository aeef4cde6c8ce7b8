package projector

import (
	"context"
	"time"
)

// throttled is a journal whose feeds deliver no more events a second than a rate, together: what is built must leave room for what serves. busy
// tells whether the rate still counts.
type throttled struct {
	Journal
	rate int
	busy func() bool
	turn chan time.Time // room for one: when the next delivery may be given; a baton among the feeds
}

func throttle(j Journal, rate int, busy func() bool) Journal {
	if rate <= 0 {
		return j
	}
	t := &throttled{Journal: j, rate: rate, busy: busy, turn: make(chan time.Time, 1)}
	t.turn <- time.Time{}
	return t
}

// Open implements [Journal].
func (t *throttled) Open(ctx context.Context, from map[Source]int64) (Feed, error) {
	feed, err := t.Journal.Open(ctx, from)
	if err != nil {
		return nil, err
	}
	return &throttledFeed{Feed: feed, t: t}, nil
}

// slice is how much time the events of one delivery may stand for: with more, work would come in bursts.
const slice = 100 * time.Millisecond

type throttledFeed struct {
	Feed
	t     *throttled
	given int      // events of the last delivery, not waited for yet
	rest  Delivery // what is held back of the feed's last delivery
}

// Next implements [Feed]. It waits for what the delivery before was too much; when ctx ends meanwhile the rest is waited for at the next call.
func (f *throttledFeed) Next(ctx context.Context) (Delivery, error) {
	if err := f.wait(ctx); err != nil {
		return Delivery{}, err
	}
	d := f.rest
	f.rest = Delivery{}
	if len(d.Items) == 0 {
		var err error
		if d, err = f.Feed.Next(ctx); err != nil {
			return d, err
		}
	}
	if most := max(1, int(slice*time.Duration(f.t.rate)/time.Second)); len(d.Items) > most && f.t.busy() {
		d = f.cut(d, most)
	}
	f.given = len(d.Items)
	return d, nil
}

// cut gives the first items of a delivery and holds back the others.
func (f *throttledFeed) cut(d Delivery, most int) Delivery {
	f.rest = Delivery{Items: d.Items[most:], Next: d.Next, High: d.High}
	part := Delivery{Items: d.Items[:most], Next: map[Source]int64{}, High: d.High, Trimmed: d.Trimmed}
	for i := range part.Items {
		part.Next[part.Items[i].Source] = part.Items[i].Event.Offset + 1
	}
	return part
}

// wait goes in short steps, so that what serves meanwhile does not wait any more.
func (f *throttledFeed) wait(ctx context.Context) error {
	for f.given > 0 && f.t.busy() {
		select {
		case free := <-f.t.turn:
			now := time.Now()
			if free.Before(now) {
				free = now
			}
			step := min(f.given, max(1, int(slice*time.Duration(f.t.rate)/time.Second)))
			free = free.Add(time.Duration(step) * time.Second / time.Duration(f.t.rate))
			f.given -= step
			f.t.turn <- free
			if !sleep(ctx, nil, time.Until(free)) {
				return ctx.Err()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	f.given = 0
	return nil
}
