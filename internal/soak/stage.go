//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// stage is where a run takes place: network, brokers, instances.
type stage struct {
	dir     string
	chosen  []class
	network *network
	cluster *kafkatest.Cluster
	disks   []*disk // of the brokers; none where no disk is to be broken
	fleet   *fleet
	ledgers *ledgers
}

// groupName is that of the group and of its service.
const groupName = "ledgers"

// openStage starts everything, and ends what it has started when it cannot.
func openStage(ctx context.Context, o *options, dir string, say func(string, ...any), broken func(error)) (s *stage, err error) {
	s = &stage{dir: dir, ledgers: newLedgers(groupName, o.partitions), fleet: &fleet{broken: broken}}
	if err := s.choose(ctx, o, say); err != nil {
		return s, err
	}
	config := kafkatest.Config{
		Brokers: o.brokers, Dir: filepath.Join(dir, "kafka"), Inside: func(id int) []string { return s.network.brokers[id].enter() },
	}
	if s.network.bridge != "" {
		for _, b := range s.network.brokers {
			config.Hosts = append(config.Hosts, b.address)
		}
	}
	if slices.Contains(s.chosen, classDisk) {
		if err := s.mountBrokers(ctx, o.brokers); err != nil {
			return s, err
		}
		config.Data = func(id int) string { return filepath.Join(s.disks[id].dir, "data") }
	}
	if s.cluster, err = kafkatest.Start(ctx, config); err != nil {
		return s, err
	}
	say("%d brokers answer", o.brokers)
	for n := range o.instances {
		if err := s.join(ctx, n, o); err != nil {
			return s, err
		}
	}
	if err := s.fleet.awaitReady(ctx, readyLimit); err != nil {
		return s, err
	}
	say("%d instances are ready", o.instances)
	return s, s.cluster.AwaitInSync(ctx)
}

// mountBrokers gives each broker a disk of its own.
func (s *stage) mountBrokers(ctx context.Context, brokers int) error {
	for id := range brokers {
		d, err := mountDisk(ctx, filepath.Join(s.dir, fmt.Sprintf("broker-%d-disk", id)))
		if err != nil {
			return err
		}
		s.disks = append(s.disks, d)
	}
	return nil
}

// choose finds out which classes of faults can be had here, and opens the network.
func (s *stage) choose(ctx context.Context, o *options, say func(string, ...any)) error {
	s.network = loopback(o.brokers, o.instances)
	var missing []error
	for _, w := range o.classes {
		var lacks error
		if w.class == classNet {
			var made *network
			if made, lacks = openNetwork(ctx, o.brokers, o.instances); lacks == nil {
				s.network = made
				say("net: a network namespace for each broker and instance, on bridge %s; a slow link is: %s", made.bridge, made.slow)
			}
		}
		if w.class == classDisk {
			lacks = mayMount()
		}
		switch {
		case lacks == nil:
			s.chosen = append(s.chosen, w.class)
		case w.optional:
			say("%s: left out: %v", w.class, lacks)
		default:
			missing = append(missing, fmt.Errorf("faults of class %s cannot be had here: %w; leave the class out, or write %s?", w.class, lacks, w.class))
		}
	}
	return errors.Join(missing...)
}

// join starts one instance.
func (s *stage) join(ctx context.Context, n int, o *options) error {
	where := s.network.instances[n]
	i := &instance{home: filepath.Join(s.dir, fmt.Sprintf("instance-%d", n)), enter: where.enter(), settings: settings{
		Group: groupName, Partitions: o.partitions, Brokers: s.cluster.Addresses(), Service: groupName, Name: fmt.Sprintf("instance-%d", n),
		Host: where.address, Session: session, Transaction: transaction,
	}}
	mount := filepath.Join(i.home, "disk")
	i.settings.Dir = filepath.Join(mount, "state")
	if err := os.MkdirAll(mount, 0o755); err != nil {
		return err
	}
	s.fleet.all = append(s.fleet.all, i)
	if slices.Contains(s.chosen, classDisk) {
		var err error
		if i.disk, err = mountDisk(ctx, mount); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(i.settings.Dir, 0o755); err != nil {
		return err
	}
	return s.fleet.start(i)
}

// close ends everything. What is on the disks is kept where somebody will look at it.
func (s *stage) close(ctx context.Context, clean bool) error {
	var faults []error
	s.fleet.kill()
	if s.cluster != nil {
		faults = append(faults, s.cluster.Close())
	}
	disks := s.disks
	for _, i := range s.fleet.all {
		if i.disk != nil {
			disks = append(disks, i.disk)
		}
	}
	for _, d := range disks {
		if !clean {
			faults = append(faults, d.free(), os.CopyFS(d.dir+"-kept", os.DirFS(d.dir)))
		}
		faults = append(faults, d.unmount(ctx))
	}
	return errors.Join(append(faults, s.network.close(ctx))...)
}

// end has all instances end in order, and notes what they have left.
func (f *fleet) end(record *history.Record) error {
	faults := make([]error, len(f.all))
	var ending sync.WaitGroup
	for n, i := range f.all {
		ending.Go(func() { faults[n] = i.end(drainLimit) })
	}
	ending.Wait()
	for _, i := range f.all {
		record.End.Goroutines = append(record.End.Goroutines, i.life().leftovers()...)
	}
	return errors.Join(faults...)
}

// callers are the services that calls come from.
type callers struct {
	services []*service.Service
	logs     *os.File
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// openCallers starts them in this process, outside of all that breaks.
func (r *run) openCallers(ctx context.Context) (*callers, error) {
	logs, err := os.Create(filepath.Join(r.dir, "callers.log"))
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	c := &callers{logs: logs, stop: stop}
	for n := range services {
		s, err := service.Open(ctx, service.Config{
			Name: groupName + "-callers", Instance: fmt.Sprintf("caller-%d", n), Brokers: r.cluster.Addresses(), ReplyPartitions: services,
			Logger: slog.New(slog.NewTextHandler(logs, nil)),
		})
		if err != nil {
			c.close()
			return nil, err
		}
		c.services = append(c.services, s)
		c.running.Go(func() {
			if err := s.Run(running); err != nil {
				r.broken(fmt.Errorf("%s: %w", s.Instance(), err))
			}
		})
	}
	for _, s := range c.services {
		limited, cancel := context.WithTimeout(ctx, readyLimit)
		err = errors.Join(err, s.AwaitReady(limited))
		cancel()
	}
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

func (c *callers) close() {
	c.stop()
	c.running.Wait()
	_ = c.logs.Close()
}
