package journal

import (
	"context"
	"fmt"
	"syscall"
	"time"
)

// room answers nil once another batch may be stored. Pebble itself would block without end where writing out cannot keep up, and so it is
// never let come that far.
func (s *Store) room(ctx context.Context, extra int) error {
	if t := s.health.passing(); t != nil && t.kind == ErrFull { //nolint:errorlint // the field holds the sentinel itself
		return &t.fault
	}
	if err := s.reserve(extra); err != nil {
		return err
	}
	if s.written.Load() < s.cfg.writeBuffer() { // since the last look at how much is still to be written out
		return nil
	}
	again := time.NewTicker(100 * time.Millisecond) // Pebble may tell a step before it counts
	defer again.Stop()
	for {
		steps := s.health.steps() // before looking, so that no step is missed
		if err := s.health.err(); err != nil {
			return err
		}
		m := s.db.Metrics()
		if m.MemTable.Size < uint64(maxTables*s.cfg.writeBuffer()) && m.Levels[0].Sublevels < maxSublevels {
			s.written.Store(0)
			return nil
		}
		if t := s.health.passing(); t != nil {
			return &t.fault
		}
		if s.health.rotten.Load() {
			return &fault{kind: ErrCorrupt, dir: s.cfg.dir(), doing: "wait for compaction", next: "restart: the store is built anew from the journal"}
		}
		select {
		case <-steps:
		case <-again.C:
		case <-s.health.closing:
		case <-ctx.Done():
			return fmt.Errorf("state directory %s: waiting for the disk to keep up: %w", s.cfg.dir(), ctx.Err())
		}
	}
}

// reserve keeps a rest of the disk free, beside the extra bytes about to be written at once: what is in memory has to be written out some day.
func (s *Store) reserve(extra int) error {
	if s.cfg.ReserveBytes < 0 {
		return nil
	}
	usage, err := s.disk.GetDiskUsage(s.cfg.dir())
	if err != nil {
		return nil //nolint:nilerr // not every file system can tell; running out of room is noticed otherwise then
	}
	need := uint64(s.cfg.ReserveBytes)
	if need == 0 {
		need = min(64<<20, usage.TotalBytes/10)
	}
	need += uint64(extra)
	if usage.AvailBytes >= need {
		return nil
	}
	return &fault{
		kind: ErrFull, dir: s.cfg.dir(), doing: "store", next: nextWait,
		cause: fmt.Errorf("%w: %d bytes are free, %d are needed with what is kept in reserve", syscall.ENOSPC, usage.AvailBytes, need),
	}
}
