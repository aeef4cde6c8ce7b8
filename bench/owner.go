package main

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/service"
)

// owner is a running service that owns the group of a stage, or has a projection of it.
type owner struct {
	*service.Service
	client   *muster.Client
	metrics  *prometheus.Registry
	assigned time.Time // when it was given its first partition
	dir      string
	stop     context.CancelFunc
	done     chan error
}

// own runs a service that owns the group of a stage, with projections of it, and returns when it has been given its first partition.
func (c *cluster) own(ctx context.Context, s *stage, projections ...service.Part) (*owner, error) {
	return c.serve(ctx, s, func(o *owner) bool { return len(o.Status()) > 0 }, append(projections, s.aggregate())...)
}

// serve opens and runs a service on an empty directory and returns when it has something to do. end ends it.
func (c *cluster) serve(ctx context.Context, s *stage, assigned func(*owner) bool, parts ...service.Part) (*owner, error) {
	dir, err := os.MkdirTemp(c.cfg.dir, "muster-bench-")
	if err != nil {
		return nil, err
	}
	defer side(ctx, "engine")() // what is started here has the label, too
	o := &owner{metrics: prometheus.NewRegistry(), dir: dir, done: make(chan error, 1)}
	o.Service, err = service.Open(ctx, service.Config{
		Name: s.name, Brokers: c.kafka.Brokers, DataDir: dir, Kafka: c.kafka, Metrics: o.metrics, CallTimeout: 30 * time.Second,
		Privacy: s.privacy, Codec: s.codec,
	}, parts...)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	o.client = o.Client()
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = stop
	go func() { o.done <- o.Run(run) }()
	err = until(ctx, func() (bool, error) { return assigned(o), o.Healthy() })
	o.assigned = time.Now()
	if err != nil {
		return nil, errors.Join(err, o.end())
	}
	return o, nil
}

// end stops the service and removes its state.
func (o *owner) end() error {
	o.stop()
	return errors.Join(<-o.done, os.RemoveAll(o.dir))
}
