package crypto

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/seed-3eec0498/muster/crypto/internal/aesgcm"
)

// LocalKMS is a KMS inside the process, for development and tests: each generation has a random key of 32 bytes, which DestroyGeneration forgets.
//
// It claims levels L0 and L1 only: whoever has an old copy of its file has the destroyed keys.
type LocalKMS struct {
	mu    sync.Mutex           // guards what follows
	keys  map[uint32]*[32]byte // nil: destroyed
	save  func(map[uint32]*[32]byte) error
	close func() error
}

// NewMemoryKMS gives a KMS whose keys end with the process, and everything with them that was sealed under them.
func NewMemoryKMS() *LocalKMS {
	return &LocalKMS{keys: map[uint32]*[32]byte{}, save: func(map[uint32]*[32]byte) error { return nil }, close: func() error { return nil }}
}

// OpenFileKMS opens a KMS that keeps its keys in a file, and makes it if there is none. Root is nil or has 32 bytes; then the keys in the file are
// sealed under it, so that the file alone opens nothing. The caller closes it; one process at a time has it open.
func OpenFileKMS(path string, root []byte) (*LocalKMS, error) {
	if root != nil && len(root) != 32 {
		return nil, fmt.Errorf("%w: the root of a local KMS has %d bytes; give 32 random ones, or none", errInput, len(root))
	}
	file, content, err := openWhole(path)
	if err != nil {
		return nil, fmt.Errorf("KMS file %s: %w", path, err)
	}
	k := NewMemoryKMS()
	if content != nil {
		if err := k.read(content, root); err != nil {
			_ = file.close() // it was only read
			return nil, fmt.Errorf("KMS file %s: %w", path, err)
		}
	}
	k.save = func(keys map[uint32]*[32]byte) error {
		content, err := writeKMS(keys, root)
		if err != nil {
			return err
		}
		return file.replace(content)
	}
	k.close = file.close
	return k, nil
}

// Close lets others open the file.
func (k *LocalKMS) Close() error { return k.close() }

// Wrap implements [KMS].
func (k *LocalKMS) Wrap(ctx context.Context, generation uint32, key, aad []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	native, there := k.keys[generation]
	if !there {
		native = new([32]byte)
		if _, err := rand.Read(native[:]); err != nil {
			return nil, unavailable(err)
		}
		if err := k.setLocked(generation, native); err != nil {
			return nil, err
		}
	}
	if native == nil {
		return nil, ErrShredded
	}
	return wrapLocal(native[:], key, localAAD(generation, aad))
}

// Unwrap implements [KMS]. A generation that never was is ErrKeyMissing.
func (k *LocalKMS) Unwrap(ctx context.Context, generation uint32, wrapped, aad []byte) ([]byte, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, unavailable(err)
	}
	native, there := k.keys[generation]
	switch {
	case !there:
		return nil, ErrKeyMissing
	case native == nil:
		return nil, ErrShredded
	}
	return unwrapLocal(native[:], wrapped, localAAD(generation, aad))
}

// DestroyGeneration implements [KMS].
func (k *LocalKMS) DestroyGeneration(ctx context.Context, generation uint32) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return unavailable(err)
	}
	native, there := k.keys[generation]
	if there && native == nil {
		return nil
	}
	if err := k.setLocked(generation, nil); err != nil {
		return err
	}
	if native != nil {
		clear(native[:])
	}
	return nil
}

// setLocked changes the key of a generation, in the file first.
func (k *LocalKMS) setLocked(generation uint32, key *[32]byte) error {
	next := make(map[uint32]*[32]byte, len(k.keys)+1)
	for g, held := range k.keys {
		next[g] = held
	}
	next[generation] = key
	if err := k.save(next); err != nil {
		return unavailable(err)
	}
	k.keys = next
	return nil
}

// kmsForm is the JSON of a KMS file. A generation is in one of the lists.
type kmsForm struct {
	Format    int               `json:"format"`
	Sealed    bool              `json:"sealed"` // the keys are, under a root
	Keys      map[string][]byte `json:"keys"`
	Destroyed []uint32          `json:"destroyed"`
}

var errKMSFile = errors.New("it is no KMS file of this build, or damaged")

func writeKMS(keys map[uint32]*[32]byte, root []byte) ([]byte, error) {
	form := kmsForm{Format: 1, Sealed: root != nil, Keys: map[string][]byte{}, Destroyed: []uint32{}}
	for g, key := range keys {
		switch {
		case key == nil:
			form.Destroyed = append(form.Destroyed, g)
		case root == nil:
			form.Keys[strconv.FormatUint(uint64(g), 10)] = key[:]
		default:
			sealed, err := wrapLocal(root, key[:], localAAD(g, []byte("root")))
			if err != nil {
				return nil, err
			}
			form.Keys[strconv.FormatUint(uint64(g), 10)] = sealed
		}
	}
	slices.Sort(form.Destroyed)
	return json.MarshalIndent(form, "", "\t")
}

func (k *LocalKMS) read(content, root []byte) error {
	var form kmsForm
	if json.Unmarshal(content, &form) != nil || form.Format != 1 {
		return errKMSFile
	}
	if form.Sealed != (root != nil) {
		return fmt.Errorf("%w: its keys are sealed under a root: %v; a root was given: %v", errInput, form.Sealed, root != nil)
	}
	for name, key := range form.Keys {
		g, err := strconv.ParseUint(name, 10, 32)
		if err != nil {
			return errKMSFile
		}
		if root != nil {
			if key, err = unwrapLocal(root, key, localAAD(uint32(g), []byte("root"))); err != nil {
				return fmt.Errorf("generation %d does not open; is this the right root? %w", g, err)
			}
		}
		if len(key) != 32 {
			return errKMSFile
		}
		k.keys[uint32(g)] = (*[32]byte)(key)
	}
	for _, g := range form.Destroyed {
		k.keys[g] = nil
	}
	return nil
}

// localAAD binds what is wrapped to its generation.
func localAAD(generation uint32, aad []byte) []byte {
	return append([]byte{'m', 'u', 's', 't', 'e', 'r', '-', 'k', 'm', 's', byte(generation >> 24), byte(generation >> 16), byte(generation >> 8), byte(generation)}, aad...)
}

// wrapLocal seals a key under another one with AES-256-GCM: nonce (12 bytes), ciphertext, tag (16 bytes).
func wrapLocal(under, key, aad []byte) ([]byte, error) {
	aead, err := aesgcm.New(under)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, key, aad), nil
}

func unwrapLocal(under, wrapped, aad []byte) ([]byte, error) {
	aead, err := aesgcm.New(under)
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, nil, wrapped, aad)
	if err != nil {
		return nil, ErrTampered
	}
	return key, nil
}
