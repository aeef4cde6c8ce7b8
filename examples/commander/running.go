package main

import (
	"context"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// running is a service whose Run is under way on a goroutine of its own, which stop ends and joins.
type running struct {
	*service.Service
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what Run returned; written before ended is closed, read after
}

// start runs a service and returns when it is ready, or with the reason why it will not be.
func start(ctx context.Context, cfg service.Config, parts ...service.Part) (*running, error) {
	svc, err := service.Open(ctx, cfg, parts...)
	if err != nil {
		return nil, err
	}
	running := &running{Service: svc, ended: make(chan struct{})}
	// It outlives ctx, so that what needs the service can end before it does.
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	running.cancel = end
	go func() {
		defer close(running.ended)
		running.err = svc.Run(life)
	}()
	soon, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := svc.AwaitReady(soon); err != nil {
		if stopped := running.stop(); stopped != nil {
			err = stopped // why it ended says more than that it did
		}
		return nil, err
	}
	return running, nil
}

// stop drains the service and waits for its end.
func (r *running) stop() error {
	r.cancel()
	<-r.ended
	return r.err
}
