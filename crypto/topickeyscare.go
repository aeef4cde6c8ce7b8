package crypto

import (
	"context"
	"errors"
	"time"
)

// care overwrites what does not hold, ticks, and cuts the watches of a store that knows nothing new for too long.
func (k *TopicKeys) care(ctx context.Context) {
	mend, beat := time.NewTicker(k.config.Mend), time.NewTicker(k.config.Staleness/3)
	defer mend.Stop()
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-mend.C:
			if _, err := k.Purge(ctx); err != nil && ctx.Err() == nil {
				k.logger.WarnContext(ctx, "overwritten keys may lie in the key topic for longer; trying again", "error", err)
			}
		case <-beat.C:
			k.beat(ctx)
		}
	}
}

// beat asks for the end, and cuts the watches when that was not to be had for too long.
func (k *TopicKeys) beat(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, k.config.Staleness/3)
	defer cancel()
	err := k.sync(limited)
	k.mu.Lock()
	late := time.Since(k.asked) > k.config.Staleness
	k.mu.Unlock()
	if err != nil && late && ctx.Err() == nil {
		k.cut(err)
	}
}

// Purge overwrites records that have appeared in the topic and say what does not hold any more, such as the re-wrap of a destroyed key, and ticks the
// partitions that are due. It gives how many subjects had such records. It runs by itself every Mend; whoever needs to know that nothing is left calls it
// until it gives 0.
func (k *TopicKeys) Purge(ctx context.Context) (subjects int, err error) {
	k.mu.Lock()
	stale := make([]SubjectRef, 0, len(k.stale))
	for subject := range k.stale {
		stale = append(stale, subject)
	}
	k.mu.Unlock()
	var faults []error
	for _, subject := range stale {
		if err := k.mend(ctx, subject); err != nil {
			faults = append(faults, err)
			break // the next one would fail likewise
		}
	}
	return len(stale), errors.Join(append(faults, k.tick(ctx, false))...)
}

// Tick makes the segment roll, in every partition, that holds what was overwritten; an idle one would never be compacted. A second tick follows by itself
// when the topic's segment.ms has gone by, from whatever process is there then.
func (k *TopicKeys) Tick(ctx context.Context) error { return k.tick(ctx, true) }

// tick ticks all partitions, or those in which nothing was written for SegmentTime since the last change.
func (k *TopicKeys) tick(ctx context.Context, all bool) error {
	now := time.Now()
	for p := range k.log.Partitions() {
		k.mu.Lock()
		change := k.change[p]
		k.mu.Unlock()
		due := !change.IsZero() && now.Sub(change) > k.config.SegmentTime
		if !all && !due {
			continue
		}
		key, value := tickRecord(p, now)
		if _, err := k.log.Append(ctx, p, key, value); err != nil {
			return unavailable(err)
		}
		if !due {
			continue
		}
		k.mu.Lock()
		if k.change[p].Equal(change) {
			k.change[p] = time.Time{}
		}
		k.mu.Unlock()
	}
	return nil
}
