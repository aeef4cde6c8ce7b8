package crypto_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/crypto"
)

var errScheduleKilled = errors.New("killed")

// scheduleProcess is one process with everything it writes to. From its last write on it is dead: nothing it asks for is done any more.
type scheduleProcess struct {
	ledger   *crypto.Ledger
	rotation *crypto.Rotation
	schedule *crypto.Schedule

	mu     sync.Mutex // guards what follows
	writes int        // done so far
	last   int        // it dies in this one; 0: it lives
	late   bool       // that one is done all the same, only its answer is lost
	dead   bool
}

// write does what f does, unless the process is dead.
func (p *scheduleProcess) write(f func() error) error {
	p.mu.Lock()
	p.writes++
	dies := p.writes == p.last
	p.dead = p.dead || dies
	dead, done := p.dead, dies && p.late
	p.mu.Unlock()
	if dead && !done {
		return errScheduleKilled
	}
	err := f()
	if done {
		return errScheduleKilled
	}
	return err
}

func (p *scheduleProcess) killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

type scheduleKeys struct {
	crypto.KeyStore
	by *scheduleProcess
}

func (k scheduleKeys) PutIfAbsent(ctx context.Context, e crypto.Entry) (held crypto.Entry, err error) {
	err = k.by.write(func() error { held, err = k.KeyStore.PutIfAbsent(ctx, e); return err })
	return held, err
}

func (k scheduleKeys) Replace(ctx context.Context, e crypto.Entry) error {
	return k.by.write(func() error { return k.KeyStore.Replace(ctx, e) })
}

type scheduleKMS struct {
	crypto.KMS
	by *scheduleProcess
}

func (k scheduleKMS) Wrap(ctx context.Context, generation uint32, key, aad []byte) (wrapped []byte, err error) {
	err = k.by.write(func() error { wrapped, err = k.KMS.Wrap(ctx, generation, key, aad); return err })
	return wrapped, err
}

func (k scheduleKMS) DestroyGeneration(ctx context.Context, generation uint32) error {
	return k.by.write(func() error { return k.KMS.DestroyGeneration(ctx, generation) })
}

type scheduleLog struct {
	crypto.LedgerLog
	by *scheduleProcess
}

func (l scheduleLog) Append(ctx context.Context, key string, value []byte) (number int64, err error) {
	err = l.by.write(func() error { number, err = l.LedgerLog.Append(ctx, key, value); return err })
	return number, err
}

// scheduleWorld is a key space with three subjects, one of which is erased but for the last level.
type scheduleWorld struct {
	*rotationWorld
	log    *crypto.MemoryLedgerLog
	erased string
}

func newScheduleWorld(t *testing.T) *scheduleWorld {
	w := &scheduleWorld{rotationWorld: newRotationWorld(t, 4), log: &crypto.MemoryLedgerLog{}}
	p := w.process("desk")
	e, err := w.eraser(p).Request(t.Context(), crypto.ErasureRequest{Subject: crypto.SubjectRef{4}, Reason: "gdpr-17", Requester: "desk-4"})
	if err == nil {
		err = w.eraser(p).Advance(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	w.erased = e.ID
	return w
}

func (w *scheduleWorld) eraser(p *scheduleProcess) *crypto.Eraser {
	return crypto.NewEraser(crypto.EraserConfig{Ledger: p.ledger, Keys: w.keys, Gone: p.rotation.Gone})
}

// process gives one that rotates every ten days.
func (w *scheduleWorld) process(name string, change ...func(*crypto.ScheduleConfig)) *scheduleProcess {
	w.Helper()
	p := &scheduleProcess{}
	var err error
	if p.ledger, err = crypto.OpenLedger(w.Context(), scheduleLog{w.log, p}, name, nil); err != nil {
		w.Fatal(err)
	}
	p.rotation, err = crypto.NewRotation(crypto.RotationConfig{Keys: scheduleKeys{w.keys, p}, KMS: scheduleKMS{w.kms, p}, Tenants: []string{"tenant"}, Beside: 2})
	if err != nil {
		w.Fatal(err)
	}
	c := crypto.ScheduleConfig{Rotation: p.rotation, Ledger: p.ledger, Every: 10 * 24 * time.Hour}
	for _, f := range change {
		f(&c)
	}
	if p.schedule, err = crypto.NewSchedule(c); err != nil {
		w.Fatal(err)
	}
	return p
}

// advance wants no error, and gives the status.
func (w *scheduleWorld) advance(p *scheduleProcess) crypto.ScheduleStatus {
	w.Helper()
	if err := p.schedule.Advance(w.Context()); err != nil {
		w.Fatal(err)
	}
	return p.schedule.Status()
}

// wantGeneration wants all living keys under a generation, and these before it alive.
func (w *scheduleWorld) wantGeneration(p *scheduleProcess, generation uint32, earlier ...uint32) {
	w.Helper()
	is := w.advance(p)
	if is.Generation != generation || !slices.Equal(is.Earlier, earlier) || is.Live != 3 || is.By != "" {
		w.Fatalf("the status is %+v; want generation %d and before it %v", is, generation, earlier)
	}
	for n := range byte(3) {
		w.opens(n+1, generation)
	}
}

// wantErasure wants the state of the erasure, once it was advanced.
func (w *scheduleWorld) wantErasure(p *scheduleProcess, want crypto.ErasureState) {
	w.Helper()
	if err := w.eraser(p).Advance(w.Context()); err != nil {
		w.Fatal(err)
	}
	if e, _ := p.ledger.Erasure(w.erased); e.State != want {
		w.Fatalf("the erasure is %s, want %s", e.State, want)
	}
}
