package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster/service"
)

// running is a service that began with nothing on disk.
type running struct {
	*service.Service
	dir     string
	metrics *prometheus.Registry
	stop    context.CancelFunc
	done    chan error
}

// start opens a service and runs it until it serves. Without snapshots, everything it has is folded from its journal.
func start(ctx context.Context, name string, brokers []string, snapshots int, parts ...service.Part) (*running, error) {
	dir, err := os.MkdirTemp("", "muster-steady-")
	if err != nil {
		return nil, err
	}
	r := &running{dir: dir, metrics: prometheus.NewRegistry(), done: make(chan error, 1)}
	r.Service, err = service.Open(ctx, service.Config{
		Name: name, Brokers: brokers, DataDir: dir, Metrics: r.metrics, DedupWindow: time.Minute, ReplyPartitions: partitions,
		Recovery: service.Recovery{SnapshotEvery: snapshots},
		// caches that are full after some minutes: what grows after that, does so without bound
		StateStore: service.StateStore{Cache: 8 << 20, WriteBuffer: 4 << 20}, ViewStore: service.ViewStore{Cache: 8 << 20, WriteBuffer: 4 << 20},
	}, parts...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.stop = stop
	go func() { r.done <- r.Run(run) }()
	within, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := r.AwaitReady(within); err != nil {
		return nil, errors.Join(err, r.end())
	}
	return r, nil
}

// end stops the service and removes what it has on disk.
func (r *running) end() error {
	if r == nil {
		return nil
	}
	r.stop()
	return errors.Join(<-r.done, os.RemoveAll(r.dir))
}

// gauge adds up a metric over its labels.
func (r *running) gauge(name string) (float64, error) {
	families, err := r.metrics.Gather()
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetGauge().GetValue()
			}
		}
	}
	return sum, nil
}
