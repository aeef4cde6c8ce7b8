package projector

import (
	"context"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
)

// AwaitReady returns when a version, given as name@version, has caught up on all instances, so that it can serve: in the given generation, or a newer one. It is
// for a version that is switched to by hand. Cancelled or DeadlineExceeded when ctx ends before, with how far it is.
func (o *Operator) AwaitReady(ctx context.Context, projection string, generation int) error {
	name, _, _ := strings.Cut(projection, "@")
	return o.awaitVersion(ctx, projection, "has not caught up on all instances", func(entries map[string]Entry, d *Definition) bool {
		e := edition{d.version, readBuild(entries, projection).Generation}
		return e.generation >= generation && caughtUp(entries, name, e, len(d.shardNumbers()), o.config.Now())
	})
}

// AwaitServing returns when a version, given as name@version, answers: in the given generation, as [Operator.Rebuild] has told it, or a newer one. So it is also what
// waits for the end of a rebuild. The instances follow within moments. Cancelled or DeadlineExceeded when ctx ends before, with how far it is.
func (o *Operator) AwaitServing(ctx context.Context, projection string, generation int) error {
	name, _, _ := strings.Cut(projection, "@")
	return o.awaitVersion(ctx, projection, "does not serve yet", func(entries map[string]Entry, d *Definition) bool {
		record, told := readServing(entries, name)
		return told && record.Version == d.version && record.Generation >= generation
	})
}

// awaitVersion returns when the table shows what is waited for.
func (o *Operator) awaitVersion(ctx context.Context, projection, not string, there func(map[string]Entry, *Definition) bool) error {
	if _, version, ok := splitName(projection); !ok || version == 0 {
		return muster.Errorf(muster.InvalidArgument, "%q names no version of a projection; say it as totals@2", projection)
	}
	d, err := o.definition(projection)
	if err != nil {
		return err
	}
	if err := o.config.Control.Sync(ctx); err != nil && ctx.Err() == nil {
		return o.unreadable(err)
	}
	again := time.NewTicker(time.Second) // time alone makes the dead count no more
	defer again.Stop()
	for {
		entries, changed := o.config.Control.Entries()
		if there(entries, d) {
			return nil
		}
		select {
		case <-changed:
		case <-again.C:
		case <-ctx.Done():
			left := int64(0)
			for _, s := range statuses(entries, &scope{d: d, name: projection, shards: d.shardNumbers()}, o.config.Now()) {
				left += s.Lag
			}
			return muster.Errorf(muster.CodeOf(ctx.Err()), "projection %s %s, %d records are left; look at its status, or wait longer", projection, not, left)
		}
	}
}
