//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/service"
)

// run is one soak, from the first broker to the verdict.
type run struct {
	options
	*stage
	out      io.Writer
	injector *injector
	work     *workload
	opened   time.Time
	began    time.Time // with the first call
	record   history.Record
	figures  figures

	abort context.CancelCauseFunc // ends the faults and the calls at once

	mu     sync.Mutex // guards faults and out
	faults []error    // what went wrong, but for what the history shows
}

// soak is the whole program. The error says everything that was found.
func soak(ctx context.Context, o options, out io.Writer) (err error) {
	dir, kept, err := directory(o.kept)
	if err != nil {
		return err
	}
	r := &run{options: o, out: out, opened: time.Now()}
	r.figures.Seed = o.seed
	r.say("seed %d, everything is kept in %s meanwhile", o.seed, dir)
	ctx, r.abort = context.WithCancelCause(ctx)
	defer r.abort(nil)
	if r.stage, err = openStage(ctx, &r.options, dir, r.say, r.broken); err == nil {
		err = r.perform(ctx)
	}
	if r.stage != nil {
		err = errors.Join(err, r.stage.close(context.WithoutCancel(ctx), err == nil && !kept))
	}
	r.mu.Lock()
	err = errors.Join(append(r.faults, err)...) // the cause before what followed from it
	r.mu.Unlock()
	switch {
	case err != nil:
		return fmt.Errorf("%w\nrun again with -seed %d; logs and history are in %s", err, o.seed, dir)
	case !kept:
		return os.RemoveAll(dir)
	}
	return nil
}

// directory gives the one for everything, and whether it stays in any case.
func directory(asked string) (dir string, kept bool, err error) {
	if asked == "" {
		dir, err = os.MkdirTemp("", "muster-soak-")
		return dir, false, err
	}
	dir, err = filepath.Abs(asked)
	if err == nil {
		err = os.MkdirAll(dir, 0o755)
	}
	return dir, true, err
}

// say tells what goes on, with the time since the start.
func (r *run) say(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(r.out, "%6.1f s  %s\n", time.Since(r.opened).Seconds(), fmt.Sprintf(format, args...))
}

// broken notes what must not happen, and ends the faults and the calls: what comes after it is of no use.
func (r *run) broken(err error) {
	r.say("BROKEN: %v", err)
	r.mu.Lock()
	r.faults = append(r.faults, err)
	r.mu.Unlock()
	r.abort(errBroken)
}

var errBroken = errors.New("something broke")

// perform is the run on an open stage: work and faults, rest, dumps, verdict.
func (r *run) perform(ctx context.Context) error {
	r.work = &workload{ledgers: r.ledgers, seed: r.seed, pace: r.pace(), healed: make(chan struct{}), broken: r.broken}
	r.injector = &injector{network: r.network, cluster: r.cluster, disks: r.disks, fleet: r.fleet, ledgers: r.ledgers, say: r.say, broken: r.broken}
	callers, err := r.openCallers(ctx)
	if err != nil {
		return err
	}
	defer callers.close()
	r.began = time.Now()

	calling, hangUp := context.WithCancel(ctx)
	defer hangUp()
	var all sync.WaitGroup
	for n := range r.callers * r.partitions {
		all.Go(func() { r.work.newCaller(n, callers.services[n%services]).run(calling) })
	}
	r.harass(ctx)
	if err := interrupted(ctx); err != nil {
		hangUp()
		all.Wait()
		return err
	}
	if err := r.heal(context.WithoutCancel(ctx)); err != nil {
		r.broken(err)
	}
	r.record.End = &history.End{FaultsEnded: time.Now(), Within: r.within}
	close(r.work.healed)
	r.say("the faults have ended, everybody is ready")
	overtime := time.AfterFunc(r.within+10*time.Second, hangUp)
	all.Wait()
	overtime.Stop()
	ended := time.Now()
	if err := interrupted(ctx); err != nil {
		return err
	}
	r.record.Calls, r.record.Queries = r.work.log.Calls(), r.work.log.Queries()
	if err := r.dump(context.WithoutCancel(ctx), callers.services[0]); err != nil {
		return errors.Join(err, r.keep())
	}
	return r.verdict(ended)
}

// interrupted is an error when somebody else than the run itself has ended the context. What broke is checked all the same.
func interrupted(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, errBroken) {
		return fmt.Errorf("interrupted: %w", cause)
	}
	return nil
}

// harass carries out faults for the time asked for.
func (r *run) harass(ctx context.Context) {
	over, cancel := context.WithTimeout(ctx, r.lasts)
	defer cancel()
	var hands sync.WaitGroup
	for _, h := range []hand{handInstances, handBrokers} {
		if s := newSchedule(r.seed, h, r.chosen, r.brokers, r.instances); s != nil {
			hands.Go(func() { r.injector.follow(ctx, over, s) })
		}
	}
	<-over.Done()
	hands.Wait() // each brings to an end what it has begun
}

// heal waits until all is as it should be.
func (r *run) heal(ctx context.Context) error {
	return errors.Join(r.cluster.AwaitInSync(ctx), r.fleet.awaitReady(ctx, readyLimit))
}

// dump reads what lies at rest.
func (r *run) dump(ctx context.Context, from *service.Service) error {
	ctx, cancel := context.WithTimeout(ctx, dumpLimit)
	defer cancel()
	r.say("%d calls and %d queries; reading what lies at rest", len(r.record.Calls), len(r.record.Queries))
	d, err := newDump(r.ledgers, r.cluster.Addresses(), &r.record)
	if err != nil {
		return err
	}
	defer d.raw.Close()
	if err := d.topics(ctx, r.within); err != nil {
		return err
	}
	if r.figures.Expired, err = d.letters(ctx, from); err != nil {
		return err
	}
	for _, i := range r.fleet.all {
		if err := d.view(ctx, i.settings.Name, i.life().where()); err != nil {
			return err
		}
	}
	if err := r.fleet.end(&r.record); err != nil {
		return err
	}
	for _, i := range r.fleet.all {
		if err := d.stored(ctx, i); err != nil {
			return fmt.Errorf("what %s has stored: %w", i.settings.Name, err)
		}
	}
	return nil
}

// dumpLimit bounds reading everything.
const dumpLimit = 5 * time.Minute

// verdict makes the checks and the figures.
func (r *run) verdict(ended time.Time) error {
	contract := r.ledgers.contract()
	violations, err := r.record.Count(contract)
	f := &r.figures
	f.count(r.record.Calls, r.record.Queries, r.began, ended)
	f.recoveries(r.injector.faults(), r.record.Calls, r.ledgers.partitioned())
	f.judge(violations, r.record.Invariants(contract))
	f.Unknown, f.Events = r.work.unknown.Load(), r.record.Journal.Len()
	r.mu.Lock()
	f.print(r.out)
	r.mu.Unlock()
	if stall := time.Duration(f.LongestStall); stall > r.stall {
		err = errors.Join(err, fmt.Errorf("caller %s was without an answer for %v; %v is the bound", f.Staller, stall.Round(time.Millisecond), r.stall))
	}
	if r.json != "" {
		text, fault := json.MarshalIndent(f, "", "\t")
		err = errors.Join(err, fault, os.WriteFile(r.json, append(text, '\n'), 0o644))
	}
	if err != nil || r.kept != "" {
		err = errors.Join(err, r.keep())
	}
	return err
}

// keep writes the history down.
func (r *run) keep() error {
	kept, err := os.Create(filepath.Join(r.dir, "history.json"))
	if err != nil {
		return err
	}
	encode := json.NewEncoder(kept)
	for _, part := range []any{r.injector.faults(), r.record.End, r.record.Calls, r.record.Queries, r.record.Journal, r.record.Commands, r.record.Consumed, r.record.Letters, r.record.Views, r.record.Stored} {
		err = errors.Join(err, encode.Encode(part))
	}
	return errors.Join(err, kept.Close())
}
