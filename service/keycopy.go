package service

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/disk"
)

// KeyCopy is a [crypto.KeyCopy] on disk, for key topics of so many subjects that a copy in memory is too large. It ends with the process, which has it
// sealed under a key of its own, and is read anew from the topic by the next one.
type KeyCopy struct {
	table *disk.Scratch
	life  context.Context //nolint:containedctx // Put has none
	end   context.CancelFunc
}

// OpenKeyCopy makes one in a directory of its own in dir, which takes about so much memory, 16 MiB at least, however many subjects there are. Logger hears of
// trouble; nil means that nothing is logged. Close it behind the store that it is given to.
func OpenKeyCopy(ctx context.Context, dir string, memory int64, logger *slog.Logger) (*KeyCopy, error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	table, err := disk.OpenScratch(dir, memory, logger)
	if err != nil {
		return nil, fmt.Errorf("copy of the key topic: %w", err)
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	return &KeyCopy{table: table, life: life, end: end}, nil
}

// Get implements [crypto.KeyCopy].
func (c *KeyCopy) Get(subject crypto.SubjectRef) ([]byte, error) { return c.table.Get(subject[:]) }

// Put implements [crypto.KeyCopy].
func (c *KeyCopy) Put(subject crypto.SubjectRef, row []byte) error {
	return c.table.Put(c.life, subject[:], row)
}

// Scan implements [crypto.KeyCopy].
func (c *KeyCopy) Scan(f func(row []byte) error) error { return c.table.Scan(f) }

// Close removes the copy.
func (c *KeyCopy) Close() error {
	c.end()
	return c.table.Close()
}
