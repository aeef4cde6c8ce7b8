package journal

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/disk"
)

// Store is the state of all groups that one process owns: one Pebble store in one directory. Its methods are safe for concurrent use.
type Store struct {
	cfg     Config
	log     *slog.Logger
	rebuilt *Rebuilt // of Open; read-only afterwards

	// Written by Open, read-only afterwards.
	disk  *disk.Disk
	db    *pebble.DB // of disk
	files vfs.FS     // likewise, the bare one

	rooted atomic.Bool  // format and group numbers are known to be on disk; root sets it, number clears it
	made   atomic.Int64 // numbers the tables made to be ingested

	mu     sync.Mutex             // guards groups, and the numbering of groups
	groups map[string]*GroupStore // by prefix and name
}

// Open opens the state directory, makes it when it is missing, and locks it for this process: a second opener gets [ErrLocked]. A store
// that is damaged, of a newer format or not ours is moved aside to <dir>.corrupt-<n> and begun anew; the log says so, and [Store.Rebuilt].
// [ErrFull] and [ErrStore] speak of the disk. Close it.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, log: cfg.logger(), groups: map[string]*GroupStore{}}
	if err := s.open(); err != nil {
		return nil, err
	}
	return s, nil
}

// Rebuilt tells whether Open moved an old store aside, and why.
func (s *Store) Rebuilt() (Rebuilt, bool) {
	if s.rebuilt == nil {
		return Rebuilt{}, false
	}
	return *s.rebuilt, true
}

// Failed gives the error that every call answers since the store has failed, and nil while it works. A failed store stays failed: close
// it and open it again once the cause is mended. Being short of room ([ErrFull] from Store) is no failure as long as the reserve lasts.
func (s *Store) Failed() error { return s.disk.Failed() }

// Group opens the part of the store that belongs to a group under a prefix. topicIDs has the ids of the group's topics by name; rows that
// were folded from a journal topic with another id are wiped when their partition opens. An id that is missing or zero is not compared.
// One group can be open once.
func (s *Store) Group(g *muster.Group, prefix string, topicIDs map[string][16]byte) (*GroupStore, error) {
	name := prefix + g.Name()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.begin(); err != nil {
		return nil, err
	}
	defer s.disk.End()
	if s.groups[name] != nil {
		return nil, fmt.Errorf("group %s is open in the store already; pass the one GroupStore around", name)
	}
	number, err := s.number(name)
	if err != nil {
		return nil, err
	}
	group := &GroupStore{
		s: s, name: name, number: number, topic: topicIDs[g.JournalTopic(prefix)],
		places: make([]place, g.Partitions()), opened: s.cfg.now()(),
	}
	s.groups[name] = group
	return group, nil
}

// number gives a group's number, and gives it one at its first use. The caller holds mu.
func (s *Store) number(name string) (uint16, error) {
	doing := "look up group " + name
	own := prefixOf(ownGroup, 0)
	rows, err := s.db.NewIter(&pebble.IterOptions{LowerBound: own.key(kindState, ""), UpperBound: own.key(kindState+1, "")})
	if err != nil {
		return 0, s.fault(doing, err)
	}
	number, highest := uint16(0), uint16(0)
	for rows.First(); rows.Valid() && err == nil; rows.Next() {
		var n uint16
		if n, err = decodeRegistry(rows.Value()); err != nil {
			err = undecodable(err)
		}
		if string(rows.Key()[headBytes:]) == name {
			number = n
		}
		highest = max(highest, n)
	}
	if err = errors.Join(err, rows.Close()); err != nil {
		return 0, s.fault(doing, err)
	}
	if number != 0 {
		return number, nil
	}
	if highest == math.MaxUint16 {
		return 0, s.newFault(ErrStore, doing, nil, "use a new directory: this one has held 65,535 groups")
	}
	if err := s.db.Set(own.key(kindState, name), appendRegistry(nil, highest+1), pebble.Sync); err != nil {
		return 0, s.fault(doing, err)
	}
	s.rooted.Store(false)
	return highest + 1, s.Failed()
}

// begin starts a call that touches Pebble; the caller ends it with disk.End, unless it got an error.
func (s *Store) begin() error { return s.disk.Begin() }

// fault classifies the error of a read, or nil, see [disk.Disk.Fault].
func (s *Store) fault(doing string, err error) error { return s.disk.Fault(doing, err) }

// Close ends all calls in hand, writes what is held to the log on disk and gives the directory back. Closing again is harmless and gives
// the same answer.
func (s *Store) Close() error { return s.disk.Close() }
