package crypto

import (
	"context"
	"time"

	"github.com/seed-3eec0498/muster"
)

// SubjectRef names a subject without telling who it is: the first 16 bytes of HMAC-SHA-256 over tenant and subject id.
type SubjectRef = muster.SubjectRef

// KeyID names a data key, and commits to it: it is 16 bytes of a pseudo-random function of the key.
type KeyID [16]byte

// EntryState is what a data key may be used for.
type EntryState uint8

// The states of a data key.
const (
	// EntryActive keys seal and open.
	EntryActive EntryState = 1 + iota
	// EntryReadOnly keys open only: a newer version seals.
	EntryReadOnly
	// EntryDestroyed stands for a key that is gone; it has no bytes.
	EntryDestroyed
)

// Entry is a data key as a [KeyStore] keeps it: wrapped.
type Entry struct {
	Subject    SubjectRef
	ID         KeyID
	Version    uint32 // 1, 2, 3 ... of this subject
	Life       uint32 // the subject's life, 0 at first; one more after each Reinstate
	State      EntryState
	Generation uint32    // of the key-encryption key that wraps it
	Wrapped    []byte    // empty when destroyed
	Born       int64     // place of its first append in the store, by which candidates are judged; 0 before
	Created    time.Time // of the first append
}

// Receipt proves a destruction.
type Receipt struct {
	Subject SubjectRef
	Life    uint32 // the life that ended
	Erasure string // the id of the erasure
	Time    time.Time
	Keys    []KeyID // what was destroyed
	// Generations of key-encryption keys that ever wrapped one of the keys: the erasure reaches every copy when all of them are destroyed.
	Generations []uint32
}

// KeyChange is something that happened in a key store: an entry was made or replaced, or a subject's keys were destroyed.
type KeyChange struct {
	Entry   Entry
	Destroy *Receipt // nil for an entry
}

// KeyStore keeps wrapped data keys. All methods may be called at once, by many processes. An error is [ErrShredded], [ErrKeyMissing],
// [ErrNoAccess] or [ErrKeyUnavailable] (also when a context ends), under errors.Is; anything else is read as ErrKeyUnavailable.
type KeyStore interface {
	// Active gives the subject's key to seal with. ErrKeyMissing: none was made yet. ErrShredded: none will be, save by Reinstate.
	Active(ctx context.Context, subject SubjectRef) (Entry, error)
	// Lookup gives one key, active or read-only. ErrKeyMissing is given only by a store that has been read to its end.
	Lookup(ctx context.Context, subject SubjectRef, id KeyID) (Entry, error)
	// PutIfAbsent adds an entry for (subject, version) in the subject's current life unless there is one, and gives the one that holds: the first in the
	// store's order. It is durable when this returns. The store sets Life, Born and Created. ErrShredded when the subject's keys are destroyed, before
	// or meanwhile.
	PutIfAbsent(ctx context.Context, e Entry) (winner Entry, err error)
	// Replace writes another state or wrapping of an entry that exists (same subject, id, version, life, born). State and generation never go back, so
	// two who replace one entry at once do not undo each other: what is older in a given entry is not written. State EntryDestroyed, without bytes,
	// destroys this one key for ever. ErrShredded: it is destroyed. ErrKeyMissing: there is no such entry.
	Replace(ctx context.Context, e Entry) error
	// Destroy marks the subject as destroyed for ever and overwrites its entries without their bytes. It is idempotent: while the subject is destroyed a
	// second one gives the first one's receipt, and an erasure that was told before ends no later life. A subject without keys is marked too.
	Destroy(ctx context.Context, subject SubjectRef, erasure string) (Receipt, error)
	// Destroyed gives the receipt of a destroyed subject; false when it is not.
	Destroyed(ctx context.Context, subject SubjectRef) (Receipt, bool, error)
	// Reinstate opens a new life of a destroyed subject, by explicit wish; old keys stay destroyed. Life is its number, one more than that of the
	// receipt: where another life has ended meanwhile nothing is opened. It gives the number of the life that is the current one then.
	Reinstate(ctx context.Context, subject SubjectRef, life uint32) (uint32, error)
	// Watch calls f with every change from now on, those of a subject in the store's order, until ctx ends; ready is called once everything from then
	// on is seen. It returns when ctx ends or the watch is cut, and then the caller no longer knows what was destroyed since.
	Watch(ctx context.Context, ready func(), f func(KeyChange)) error
	// Scan calls f with every entry that holds now, until f returns an error, and returns that.
	Scan(ctx context.Context, f func(Entry) error) error
}
