package sim

import (
	"context"
	"sync"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	standstill = 15 * time.Second // without an operation that begins, after which the next fault comes all the same
	ruleLimit  = time.Second      // for which requests of a kind are waited for
)

// inject carries out the plan and returns when all its faults have ended.
func (w *world) inject(ctx context.Context) {
	var all sync.WaitGroup
	for _, f := range w.settings.Plan {
		w.steps.await(ctx, f.At, standstill)
		if ctx.Err() != nil {
			break
		}
		w.note("%s", f)
		all.Go(func() { w.carryOut(ctx, f) })
	}
	all.Wait()
}

func (w *world) carryOut(ctx context.Context, f Fault) {
	f.For = w.settings.slow(f.For)
	switch f.Kind {
	case Code:
		w.answerWith(ctx, f)
	case Leaders:
		w.broker.Cluster().ShufflePartitionLeaders()
	case Coordinators:
		w.broker.Cluster().RehashCoordinators()
	case Crash, Stop, Storm, Disk:
		w.restart(ctx, f, w.process(f.Target))
	case Clock:
		w.process(f.Target).clock.set(f.By)
	case Cut, Sever, Freeze, Lose, Mute, Delay:
		if l := w.process(f.Target).current(); l != nil {
			disturb(ctx, f, l.line)
		}
	}
}

// disturb does what concerns one line.
func disturb(ctx context.Context, f Fault, on *line) {
	switch f.Kind {
	case Cut:
		on.hangUp(false)
	case Sever:
		on.hangUp(true)
		pause(ctx, f.For)
		on.mend()
	case Freeze:
		thaw := on.freeze()
		pause(ctx, f.For)
		thaw()
	case Lose:
		on.obey(ctx, &rule{key: f.Key, left: f.Count, apply: f.Apply}, ruleLimit)
	case Mute:
		on.obey(ctx, &rule{key: f.Key, left: -1, apply: f.Apply}, f.For)
	case Delay:
		on.obey(ctx, &rule{key: f.Key, left: f.Count, late: f.For, apply: true}, ruleLimit)
	default:
	}
}

// answerWith has the brokers answer with an error. Where others send such requests as well, those of the owners are meant.
func (w *world) answerWith(ctx context.Context, f Fault) {
	fault := kfake.Fault{Keys: []kmsg.Key{f.Key}, Err: f.Err, Count: f.Count, TopLevel: f.Key == kmsg.InitProducerID}
	if f.Key == kmsg.Produce || f.Key == kmsg.ListOffsets {
		fault.Topic = w.ledger.group.JournalTopic("")
	}
	handle := w.broker.Cluster().Fault(fault)
	limited, cancel := context.WithTimeout(ctx, ruleLimit)
	defer cancel()
	_ = handle.Wait(limited, f.Count) // some requests are made seldom
	handle.Remove()
}

// restart does what a process does not live through.
func (w *world) restart(ctx context.Context, f Fault, p *process) {
	p.turn.Lock()
	defer p.turn.Unlock()
	switch f.Kind {
	case Crash:
		p.crash(f.Keep)
		pause(ctx, f.For)
		w.start(ctx, p)
	case Stop:
		w.stop(p)
		pause(ctx, f.For)
		w.start(ctx, p)
	case Storm:
		for range f.Count {
			w.start(ctx, p)
			pause(ctx, w.settings.slow(session/2))
			w.stop(p)
		}
	case Disk:
		number := syscall.EIO
		if f.Full {
			number = syscall.ENOSPC
		}
		p.disk.broken.Store(int64(number))
		pause(ctx, f.For)
		w.stop(p)
		p.disk.broken.Store(0)
		w.start(ctx, p)
	default:
	}
}

func (w *world) start(ctx context.Context, p *process) {
	if err := p.up(ctx); err != nil {
		w.note("%v", err)
	}
}

func (w *world) stop(p *process) {
	if err := p.end(); err != nil {
		w.note("%s ended with %v", p.name, err)
	}
}
