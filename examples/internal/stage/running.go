package stage

import (
	"context"
	"time"

	"github.com/seed-3eec0498/muster/service"
)

// Running is a service whose Run is under way on a goroutine of its own, which Stop ends and joins.
type Running struct {
	*service.Service
	cancel context.CancelFunc
	ended  chan struct{} // closed when Run has returned
	err    error         // what Run returned; written before ended is closed, read after
}

// Start runs a service and returns when it is ready, or with the reason why it will not be.
func Start(ctx context.Context, cfg service.Config, parts ...service.Part) (*Running, error) {
	svc, err := service.Open(ctx, cfg, parts...)
	if err != nil {
		return nil, err
	}
	running := &Running{Service: svc, ended: make(chan struct{})}
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
		if stopped := running.Stop(); stopped != nil {
			err = stopped // why it ended says more than that it did
		}
		return nil, err
	}
	return running, nil
}

// Ended is closed when Run has returned; Stop tells why.
func (r *Running) Ended() <-chan struct{} { return r.ended }

// Stop drains the service and waits for its end. It gives what Run returned; the second call gives it again.
func (r *Running) Stop() error {
	r.cancel()
	<-r.ended
	return r.err
}
