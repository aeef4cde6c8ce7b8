package disk

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// Room answers nil once another batch may be stored. Pebble itself would block without end where writing out cannot keep up, and so it is
// never let come that far.
func (d *Disk) Room(ctx context.Context, extra int) error {
	if t := d.health.passing(); t != nil && t.Kind == d.cfg.Words.Full { //nolint:errorlint // the field holds the sentinel itself
		return &t.Fault
	}
	if err := d.reserve(extra); err != nil {
		return err
	}
	if d.written.Load() < d.cfg.WriteBufferBytes { // since the last look at how much is still to be written out
		return nil
	}
	again := time.NewTicker(100 * time.Millisecond) // Pebble may tell a step before it counts
	defer again.Stop()
	for {
		steps := d.health.steps() // before looking, so that no step is missed
		if err := d.health.err(); err != nil {
			return err
		}
		m := d.DB.Metrics()
		if m.MemTable.Size < uint64(maxTables*d.cfg.WriteBufferBytes) && m.Levels[0].Sublevels < maxSublevels {
			d.written.Store(0)
			return nil
		}
		if t := d.health.passing(); t != nil {
			return &t.Fault
		}
		if d.health.rotten.Load() {
			return d.fault(d.cfg.Words.Corrupt, "wait for compaction", nil, d.cfg.Words.NextRestart)
		}
		select {
		case <-steps:
		case <-again.C:
		case <-d.health.closing:
		case <-ctx.Done():
			return fmt.Errorf("%s %s: waiting for the disk to keep up: %w", d.cfg.Words.Directory, d.cfg.Dir, ctx.Err())
		}
	}
}

// reserve keeps a rest of the disk free, beside the extra bytes about to be written at once: what is in memory has to be written out some day.
func (d *Disk) reserve(extra int) error {
	if d.cfg.ReserveBytes < 0 {
		return nil
	}
	usage, err := d.FS.GetDiskUsage(d.cfg.Dir)
	if err != nil {
		return nil //nolint:nilerr // not every file system can tell; running out of room is noticed otherwise then
	}
	need := uint64(d.cfg.ReserveBytes)
	if need == 0 {
		need = min(64<<20, usage.TotalBytes/10)
	}
	need += uint64(extra)
	if usage.AvailBytes >= need {
		return nil
	}
	cause := fmt.Errorf("%w: %d bytes are free, %d are needed with what is kept in reserve", syscall.ENOSPC, usage.AvailBytes, need)
	return d.fault(d.cfg.Words.Full, "store", cause, d.cfg.Words.NextWait)
}
