package projector

import (
	"errors"
	"fmt"

	"context"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

var errDamaged = errors.New("a record could not be read")

var errRecord = errors.New("undecodable record")

func undecodableRecord(err error) error { return fmt.Errorf("%w: %w", errRecord, err) }

func isStoreCorrupt(err error) bool {
	return errors.Is(err, errRecord) || pebble.IsCorruptionError(err)
}

func notFound(err error) bool { return errors.Is(err, pebble.ErrNotFound) }

func (s *Store) open() error {
	fs := s.cfg.FS
	if s.cfg.Dir == "" && fs == nil {
		fs = vfs.NewMem()
	}
	db, err := pebble.Open(s.cfg.Dir, &pebble.Options{FS: fs, MemTableSize: 32 << 20})
	s.db = db
	return err
}

func (s *Store) enter() error  { return nil }
func (s *Store) leave()        {}
func (s *Store) failed() error { return nil }
func (s *Store) fault(doing string, err error) error {
	if err == nil {
		return nil
	}
	return AsStore(fmt.Errorf("view store: %s: %w", doing, err))
}
func (s *Store) room(context.Context, int) error { return nil }
func (s *Store) wrote(int)                       {}

// Close gives the directory back. Closing again is harmless.
func (s *Store) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil
	}
	s.closed = true
	close(s.closing)
	return s.db.Close()
}

var errStoreClosing = errors.New("view store: it is being closed")
