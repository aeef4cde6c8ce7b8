package sim

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/seam"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// process is a service with a machine of its own, through all its lives. It is started again when it ends by itself, as by a supervisor.
type process struct {
	name    string
	service string
	world   *world
	parts   func() []service.Part // made anew for each life
	clock   wallClock
	rng     *rand.Rand // for what a crash leaves; of whoever holds turn

	turn sync.Mutex // held by whoever starts or ends it; guards disk
	disk *disk

	mu   sync.Mutex // guards life
	life *life      // nil while it is down
}

// life is a process from its start to its end.
type life struct {
	*service.Service
	line   *line
	codec  *crypto.Codec // of a caller that seals, else nil
	keys   func()        // lets go of them
	stop   context.CancelFunc
	asked  atomic.Bool   // to end
	done   chan struct{} // closed when Run has returned
	failed error         // what Run returned; read after done
}

func newProcess(w *world, name, of string, parts func() []service.Part) *process {
	return &process{
		name: name, service: of, world: w, parts: parts, disk: newDisk(vfs.NewCrashableMem()),
		rng: rand.New(rand.NewPCG(w.settings.Seed, uint64(len(w.processes)))),
	}
}

func (p *process) dir() string { return filepath.Join(p.world.settings.Dir, p.name) }

// current is the life of now, nil while the process is down.
func (p *process) current() *life {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.life
}

func (p *process) become(l *life) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.life = l
}

// up starts the process, and tries again until it has started or ctx ends. The caller holds turn.
func (p *process) up(ctx context.Context) error {
	for tries := 1; ; tries++ {
		l, err := p.open(ctx)
		if err == nil {
			p.become(l)
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s has not started in %d tries: %w", p.name, tries, err)
		}
		p.world.note("%s did not start: %v", p.name, err)
		if !pause(ctx, retryPause) {
			return fmt.Errorf("%s has not started in %d tries: %w", p.name, tries, err)
		}
	}
}

func (p *process) open(ctx context.Context) (*life, error) {
	l := &life{line: &line{}, done: make(chan struct{})}
	opening, cancel := context.WithTimeout(seam.With(ctx, seam.Machine{FS: p.disk, Now: p.clock.now}), openLimit)
	defer cancel()
	cfg := service.Config{
		Name: p.service, Instance: p.name, Brokers: p.world.brokers, DataDir: p.dir(), Kafka: kafka.Config{Options: l.line.option()},
		SessionTimeout: p.world.settings.slow(session), TransactionTimeout: p.world.settings.slow(transaction), DrainTimeout: p.world.settings.slow(drain),
		ReplyPartitions: clients,
		Logger:          p.world.logger(),
	}
	var err error
	if l.codec, l.keys, err = p.world.seal(opening, &cfg, p); err != nil {
		l.line.hangUp(true)
		return nil, err
	}
	if l.Service, err = service.Open(opening, cfg, p.parts()...); err != nil {
		l.keys()
		l.line.hangUp(true)
		return nil, err
	}
	var run context.Context
	run, l.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.world.running.Go(func() {
		defer close(l.done)
		l.failed = l.Run(run)
		l.keys()
	})
	p.world.running.Go(func() { p.watch(ctx, l) })
	return l, nil
}

// watch starts the process again when it ends without having been asked to.
func (p *process) watch(ctx context.Context, l *life) {
	<-l.done
	if l.asked.Load() {
		return
	}
	p.world.note("%s ended by itself: %v", p.name, l.failed)
	p.turn.Lock()
	defer p.turn.Unlock()
	if p.current() != l {
		return
	}
	p.become(nil)
	if err := p.up(ctx); err != nil {
		p.world.note("%v", err)
	}
}

// crash ends the process without a word. What is left of it runs on without network, disk and anybody who listens, until it notices; that is what
// stands for the goroutines that a process takes with it. The caller holds turn.
func (p *process) crash(keep int) {
	l := p.current()
	if l == nil {
		return
	}
	l.asked.Store(true)
	p.become(nil)
	l.line.hangUp(true)
	var evidence *vfs.MemFS
	p.disk, evidence = p.disk.crashed(keep, p.rng)
	p.world.keep(p, evidence, true)
	l.stop()
}

// end stops the process as an upgrade does, and waits for it. The caller holds turn.
func (p *process) end() error {
	l := p.current()
	if l == nil {
		return nil
	}
	l.asked.Store(true)
	p.become(nil)
	l.stop()
	<-l.done
	return l.failed
}

// pause waits, and tells whether it was not cut short.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const (
	retryPause  = 50 * time.Millisecond
	openLimit   = 10 * time.Second
	drain       = 750 * time.Millisecond // a twentieth, too
	callTimeout = time.Second            // a tenth or so of what callers wait: a call should live through some faults
)
