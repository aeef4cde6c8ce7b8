package crypto_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

// erasureKeys is a key store for the tests of erasures: as small as the contract allows, shared by all processes of a test.
type erasureKeys struct {
	entries map[crypto.SubjectRef][]crypto.Entry
	gone    map[crypto.SubjectRef]crypto.Receipt
	told    map[string]crypto.Receipt // by erasure
	lives   map[crypto.SubjectRef]uint32
	calls   int // of Destroy
	down    error
}

func newErasureKeys() *erasureKeys {
	return &erasureKeys{entries: map[crypto.SubjectRef][]crypto.Entry{}, gone: map[crypto.SubjectRef]crypto.Receipt{}, told: map[string]crypto.Receipt{}, lives: map[crypto.SubjectRef]uint32{}}
}

func (k *erasureKeys) give(s crypto.SubjectRef) {
	k.entries[s] = append(k.entries[s], crypto.Entry{
		Subject: s, ID: crypto.KeyID{s[0], byte(len(k.entries[s]) + 1)}, Version: 1, Life: k.lives[s], State: crypto.EntryActive, Generation: 3, Wrapped: []byte("wrapped"),
	})
}

func (k *erasureKeys) Active(_ context.Context, s crypto.SubjectRef) (crypto.Entry, error) {
	if _, is := k.gone[s]; is {
		return crypto.Entry{}, crypto.ErrShredded
	}
	for _, e := range k.entries[s] {
		if e.State == crypto.EntryActive && e.Life == k.lives[s] {
			return e, k.down
		}
	}
	return crypto.Entry{}, errors.Join(k.down, crypto.ErrKeyMissing)
}

func (k *erasureKeys) Lookup(_ context.Context, s crypto.SubjectRef, id crypto.KeyID) (crypto.Entry, error) {
	for _, e := range k.entries[s] {
		if e.ID == id {
			return e, k.down
		}
	}
	return crypto.Entry{}, crypto.ErrKeyMissing
}

func (k *erasureKeys) PutIfAbsent(context.Context, crypto.Entry) (crypto.Entry, error) {
	panic("not needed here")
}
func (k *erasureKeys) Replace(context.Context, crypto.Entry) error { panic("not needed here") }

func (k *erasureKeys) Destroy(_ context.Context, s crypto.SubjectRef, erasure string) (crypto.Receipt, error) {
	if k.calls++; k.down != nil {
		return crypto.Receipt{}, k.down
	}
	if r, is := k.told[erasure]; is && r.Life < k.lives[s] {
		return r, nil
	}
	r, is := k.gone[s]
	if !is {
		r = crypto.Receipt{Subject: s, Life: k.lives[s], Erasure: erasure, Time: time.Unix(1, 0).UTC()}
		for _, e := range k.entries[s] {
			if e.Life == k.lives[s] {
				r.Keys, r.Generations = append(r.Keys, e.ID), []uint32{3}
			}
		}
		k.gone[s], k.told[erasure] = r, r
	}
	for i := range k.entries[s] {
		k.entries[s][i].State, k.entries[s][i].Wrapped = crypto.EntryDestroyed, nil
	}
	return r, nil
}

func (k *erasureKeys) Destroyed(_ context.Context, s crypto.SubjectRef) (crypto.Receipt, bool, error) {
	r, is := k.gone[s]
	return r, is, k.down
}

func (k *erasureKeys) Reinstate(_ context.Context, s crypto.SubjectRef, life uint32) (uint32, error) {
	if _, is := k.gone[s]; !is || life != k.lives[s]+1 {
		return 0, errors.New("not destroyed, or in another life")
	}
	delete(k.gone, s)
	k.lives[s]++
	return k.lives[s], k.down
}

func (k *erasureKeys) Watch(context.Context, func(), func(crypto.KeyChange)) error {
	panic("not needed here")
}

func (k *erasureKeys) Scan(_ context.Context, f func(crypto.Entry) error) error {
	for _, all := range k.entries {
		for _, e := range all {
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return k.down
}

// snapshot is a backup of the store.
func (k *erasureKeys) snapshot() *erasureKeys {
	c := newErasureKeys()
	for s, all := range k.entries {
		c.entries[s] = slices.Clone(all)
	}
	for s, r := range k.gone {
		c.gone[s] = r
	}
	maps.Copy(c.told, k.told)
	for s, n := range k.lives {
		c.lives[s] = n
	}
	return c
}

// erasureLog is a log that loses answers, and records, as it is told.
type erasureLog struct {
	crypto.MemoryLedgerLog
	fail func() (before, after error) // nil: it works
}

func (l *erasureLog) Append(ctx context.Context, key string, value []byte) (int64, error) {
	if l.fail == nil {
		return l.MemoryLedgerLog.Append(ctx, key, value)
	}
	before, after := l.fail()
	if before != nil {
		return 0, before
	}
	n, err := l.MemoryLedgerLog.Append(ctx, key, value)
	return n, errors.Join(err, after)
}

var errErasureKilled = errors.New("killed")

// erasureProcess is one of several that share log and key store.
type erasureProcess struct {
	ledger    *crypto.Ledger
	eraser    *crypto.Eraser
	die       string   // failpoint it dies at
	gone      bool     // all generations are destroyed
	destroyed []uint32 // these are
	now       time.Time
}

func startErasure(t testing.TB, log crypto.LedgerLog, keys crypto.KeyStore) *erasureProcess {
	t.Helper()
	p := &erasureProcess{now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	var err error
	if p.ledger, err = crypto.OpenLedger(t.Context(), log, "bank/1", func() time.Time { return p.now }); err != nil {
		t.Fatal(err)
	}
	p.eraser = crypto.NewEraser(crypto.EraserConfig{
		Ledger: p.ledger, Keys: keys, Now: func() time.Time { return p.now },
		Gone: func(_ context.Context, all []uint32) (bool, error) {
			return p.gone || !slices.ContainsFunc(all, func(g uint32) bool { return !slices.Contains(p.destroyed, g) }), nil
		},
		Failpoint: func(name string) {
			if name == p.die {
				panic(errErasureKilled)
			}
		},
	})
	return p
}

// survive runs fn and tells whether the process was killed in it.
func (p *erasureProcess) survive(fn func() error) (killed bool, err error) {
	defer func() {
		if v := recover(); v != nil {
			if v != errErasureKilled { //nolint:errorlint // the value itself
				panic(v)
			}
			killed = true
		}
	}()
	return false, fn()
}

var (
	erasureAnna = crypto.SubjectRef{1}
	erasureBert = crypto.SubjectRef{2}
	erasureTwo  = []crypto.ShareSize{{Kind: crypto.DutyGroup, Name: "accounts", Partitions: 2}, {Kind: crypto.DutyProjection, Name: "totals@1", Partitions: 1}}
)
