package sim

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/service"
)

// Settings say what is run.
type Settings struct {
	Seed       uint64
	Plan       Plan
	Operations Workload
	Slow       int           // stretches all timeouts and what a plan measures in time; 0 means 1, a twentieth of the defaults
	Dir        string        // an empty directory, for what processes keep beside their stores
	Within     time.Duration // in which everything has to end when the faults have
	Logger     *slog.Logger  // nil means silence
	Tell       func(string)  // hears what happens while it does; nil means nobody
}

// slow stretches a time.
func (s *Settings) slow(d time.Duration) time.Duration { return d * time.Duration(max(s.Slow, 1)) }

// world is a cluster with everything that runs on it.
type world struct {
	settings Settings
	ledger   *ledger
	broker   *embedded.Broker
	brokers  []string
	raw      *kgo.Client // without faults
	log      history.Log
	people   *people
	kms      crypto.KMS
	erasures erasures
	answers  answers
	logs     logs
	steps    *steps
	began    time.Time

	processes []*process
	running   sync.WaitGroup // goroutines of processes

	mu       sync.Mutex // guards what follows
	notes    []string
	faults   []error // found while it ran
	evidence []evidence
	crashes  int // of owners

	lag   map[string]int64              // by group: commands left at rest; written by rest
	noted map[string]map[int32][]string // by owner's disk and partition: the erasures carried out on its rows; written by dump
}

// evidence is the disk of an owner as a crash, or its end, left it.
type evidence struct {
	process, name string
	files         *vfs.MemFS
}

const (
	nodes      = 3
	partitions = 4
	ownersName = "ledgers"
	viewsName  = "views"
	callsName  = "callers"
)

// open starts brokers and processes, without faults.
func open(ctx context.Context, settings Settings) (w *world, err error) {
	w = &world{settings: settings, ledger: newLedger(partitions), steps: newSteps(), began: time.Now(), people: newPeople(settings.Operations), kms: crypto.NewMemoryKMS(), noted: map[string]map[int32][]string{}}
	w.answers.wrote = map[string]bool{}
	if w.broker, err = embedded.Start(context.WithoutCancel(ctx), embedded.Config{Brokers: nodes}); err != nil {
		return nil, err
	}
	w.brokers = w.broker.Brokers()
	if w.raw, err = kgo.NewClient(kgo.SeedBrokers(w.brokers...), kgo.FetchIsolationLevel(kgo.ReadCommitted())); err != nil {
		w.close()
		return nil, err
	}
	owning := func() []service.Part { return []service.Part{w.ledger.owner} }
	for _, name := range append(append([]string(nil), owners...), newcomer) {
		w.processes = append(w.processes, newProcess(w, name, ownersName, owning))
	}
	w.processes = append(w.processes, newProcess(w, projection, viewsName, func() []service.Part { return []service.Part{w.ledger.view} }))
	for c := range clients {
		w.processes = append(w.processes, newProcess(w, callerName(c), callsName, func() []service.Part { return nil }))
	}
	for _, p := range w.processes {
		if p.name == newcomer {
			continue
		}
		if err := w.locked(p, func() error { return p.up(ctx) }); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

func (w *world) locked(p *process, do func() error) error {
	p.turn.Lock()
	defer p.turn.Unlock()
	return do()
}

// process finds one by its name.
func (w *world) process(name string) *process {
	for _, p := range w.processes {
		if p.name == name {
			return p
		}
	}
	return nil
}

// note writes down what happened, for a report.
func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := fmt.Sprintf("%6.2fs ", time.Since(w.began).Seconds()) + fmt.Sprintf(format, args...)
	w.notes = append(w.notes, text)
	if w.settings.Tell != nil {
		w.settings.Tell(text)
	}
}

// fault writes down a violation that shows while the system runs.
func (w *world) fault(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.faults = append(w.faults, fmt.Errorf(format, args...))
}

// keep puts aside what a crash, or the end, left on an owner's disk.
func (w *world) keep(p *process, files *vfs.MemFS, crashed bool) {
	if p.service != ownersName {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if crashed {
		w.crashes++
	}
	w.evidence = append(w.evidence, evidence{p.name, fmt.Sprintf("%s (disk %d)", p.name, len(w.evidence)), files})
}

// end stops all processes as an upgrade does.
func (w *world) end() {
	for _, p := range w.processes {
		if err := w.locked(p, p.end); err != nil {
			w.note("%s ended with %v", p.name, err)
		}
	}
}

// close ends everything and returns when nothing runs any more.
func (w *world) close() {
	w.end()
	w.running.Wait()
	if w.raw != nil {
		w.raw.Close()
	}
	w.broker.Close()
}
