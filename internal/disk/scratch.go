package disk

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
)

// Scratch is a table that ends with its process, for what would take too much memory. Its values are sealed under a key that only this process has, in
// memory: what is overwritten in it lies in its files for a while, and nobody can read it there.
type Scratch struct {
	disk *Disk
	dir  string
	aead cipher.AEAD

	pending int // bytes written since room was looked for; Put's own
}

// MinScratch is the least memory that a [Scratch] works with.
const MinScratch = 16 << 20

const (
	scratchPrefix = "scratch-"
	scratchChunk  = 256 << 10
)

var (
	errScratch     = errors.New("the table cannot be used")
	errScratchFull = errors.New("the table has no room")

	scratchWords = Words{
		Directory: "directory of a table that ends with the process", Full: errScratchFull, Store: errScratch, Corrupt: errScratch, Locked: errScratch, Closed: errScratch,
		ReasonCorrupt: "corrupt", ReasonNewerFormat: "newer format", ReasonForeign: "of something else",
		NextFull: "free space on that file system, then restart", NextWait: "free space on that file system", NextFailed: "mend the disk or set another directory, then restart",
		NextRead: "mend the disk or set another directory, then restart", NextCorrupt: "restart", NextLocked: "set another directory", NextClosed: "open it again", NextRestart: "restart",
	}

	scratching sync.Mutex // held while a directory is made and while those of ended processes are removed
)

// OpenScratch makes a table in a directory of its own in parent, and removes those of processes that have ended. It takes about so much memory. Close
// removes it.
func OpenScratch(parent string, memory int64, logger *slog.Logger) (*Scratch, error) {
	if memory < MinScratch {
		return nil, fmt.Errorf("%s %s: %d bytes of memory are too few; give %d or more", scratchWords.Directory, parent, memory, MinScratch)
	}
	scratching.Lock()
	defer scratching.Unlock()
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, err
	}
	if err := sweepScratch(parent); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, scratchPrefix)
	if err != nil {
		return nil, err
	}
	s := &Scratch{dir: dir}
	if s.aead, err = scratchKey(); err == nil {
		s.disk, err = Open(Config{
			Dir: dir, FS: unsyncedFS{vfs.Default}, CacheBytes: memory / 4, WriteBufferBytes: memory / 8, ReserveBytes: -1, Logger: logger, Now: time.Now, Words: scratchWords,
			Show:  func(key []byte) fmt.Formatter { return pebble.DefaultComparer.FormatKey(nil) },
			Check: func(*pebble.DB) error { return nil },
			Tell: Tell{
				Failed: func(f *Fault) {
					logger.Error("a table that ends with the process has failed; restart it", "dir", dir, "doing", f.Doing, "error", f.Cause)
				},
				Troubled: func(cause error) {
					logger.Warn("a background write has failed; it is repeated", "dir", dir, "error", cause)
				},
				Rotten: func(cause error) {
					logger.Error("a table that ends with the process is corrupt; restart it", "dir", dir, "error", cause)
				},
				Unmarked:   func(error) {},
				MovedAside: func(string, string, error) {},
			},
		})
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return s, nil
}

func scratchKey() (cipher.AEAD, error) {
	key := make([]byte, 32)
	rand.Read(key)
	defer clear(key)
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sweepScratch removes what processes have left that ended without Close. Who is alive holds a lock.
func sweepScratch(parent string) error {
	found, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, entry := range found {
		if !entry.IsDir() || !strings.HasPrefix(entry.Name(), scratchPrefix) {
			continue
		}
		dir := filepath.Join(parent, entry.Name())
		lock, err := pebble.LockDirectory(dir, vfs.Default)
		if err != nil {
			continue // it is in use, or cannot be told
		}
		if err := errors.Join(os.RemoveAll(dir), lock.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Get gives the value of a key, nil for none. It is the caller's.
func (s *Scratch) Get(key []byte) ([]byte, error) {
	if err := s.disk.Begin(); err != nil {
		return nil, err
	}
	defer s.disk.End()
	sealed, closer, err := s.disk.DB.Get(key)
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, s.disk.Fault("read", nil)
	}
	if err != nil {
		return nil, s.disk.Fault("read", err)
	}
	value, err := s.open(key, sealed)
	return value, s.disk.Fault("read", errors.Join(err, closer.Close()))
}

func (s *Scratch) open(key, sealed []byte) ([]byte, error) {
	value, err := s.aead.Open(nil, nil, sealed, key)
	if err != nil {
		return nil, fmt.Errorf("%w: a value is not what was written", errScratch)
	}
	return value, nil
}

// Put sets the value of a key; one goroutine at a time may call it. It waits where the disk does not keep up.
func (s *Scratch) Put(ctx context.Context, key, value []byte) error {
	if err := s.disk.Begin(); err != nil {
		return err
	}
	defer s.disk.End()
	sealed := s.aead.Seal(nil, nil, value, key)
	s.pending += len(key) + len(sealed)
	if s.pending >= scratchChunk { // to look for room costs more than to write a value
		if err := s.disk.Room(ctx, s.pending); err != nil {
			return err
		}
		s.disk.Wrote(int64(s.pending))
		s.pending = 0
	}
	if err := s.disk.DB.Set(key, sealed, pebble.NoSync); err != nil {
		return s.disk.Fault("write", err)
	}
	return s.disk.Failed()
}

// Scan calls f with every value there was at the call, by key, until f gives an error, and gives that. The value is f's.
func (s *Scratch) Scan(f func(value []byte) error) error {
	if err := s.disk.Begin(); err != nil {
		return err
	}
	defer s.disk.End()
	all, err := s.disk.DB.NewIter(nil)
	if err != nil {
		return s.disk.Fault("read", err)
	}
	for ok := all.First(); ok && err == nil; ok = all.Next() {
		var value []byte
		if value, err = s.open(all.Key(), all.Value()); err == nil {
			err = f(value)
		}
	}
	if closing := all.Close(); closing != nil {
		return s.disk.Fault("read", closing)
	}
	return err
}

// Close ends the table and removes its files.
func (s *Scratch) Close() error {
	return errors.Join(s.disk.Close(), os.RemoveAll(s.dir))
}
