package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// Run works until ctx ends: it reads replies, joins the groups it owns, recovers, decides. Then it drains: no new commands, the batches
// in hand are finished, the membership is given up, all within DrainTimeout. It returns nil after that, and an error when it had to stop by
// itself. No goroutine of it is left, but for handlers that ignore their context. A service runs once.
func (s *Service) Run(ctx context.Context) error {
	s.mu.Lock()
	if s.running {
		s.mu.Unlock()
		return ErrClosed
	}
	s.running = true
	s.mu.Unlock()
	defer s.shut()

	hard, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var all sync.WaitGroup
	errs := make([]error, len(s.owners)+len(s.readers)+len(s.series)+1)
	reading, stopReading := context.WithCancel(hard)
	defer stopReading()
	all.Add(1)
	go func() {
		defer all.Done()
		errs[0] = s.replies.Run(reading)
		if reading.Err() == nil {
			stop()
		}
	}()
	close(s.started)
	s.board.touch()
	var owning sync.WaitGroup
	for i, o := range s.owners {
		owning.Add(1)
		go func() {
			defer owning.Done()
			if errs[i+1] = o.run(ctx, hard); errs[i+1] != nil {
				errs[i+1] = fmt.Errorf("group %s: %w", o.group.Name(), errs[i+1])
			}
			stop() // one owner that cannot work ends the service, so that a supervisor sees it
		}()
	}
	for i, r := range s.readers {
		owning.Go(func() {
			if errs[len(s.owners)+i+1] = r.run(ctx); errs[len(s.owners)+i+1] != nil {
				stop() // likewise
			}
		})
	}
	for i, versions := range s.series {
		owning.Go(func() {
			if err := s.runSeries(ctx, versions); err != nil {
				errs[len(s.owners)+len(s.readers)+i+1] = err
				stop() // likewise
			}
		})
	}
	all.Go(func() { s.gaugeProjections(reading) })
	if s.privacy != nil {
		all.Go(func() { s.privacy.run(ctx) })
		all.Go(func() { s.privacy.rotate(ctx) })
	}
	<-ctx.Done()
	overtime := time.AfterFunc(s.cfg.drainTimeout(), kill)
	defer overtime.Stop()
	owning.Wait()
	if err := s.sender.Flush(hard); err != nil { // replies of the last batches are under way
		s.log.Warn("not all replies were acknowledged; callers that retry get them from the next owner", "error", err)
	}
	s.client.Close()
	stopReading()
	all.Wait()
	for i, err := range errs {
		if errors.Is(err, context.Canceled) {
			errs[i] = nil
		}
	}
	err := errors.Join(errs...)
	if hard.Err() != nil {
		err = errors.Join(err, fmt.Errorf("service %s: not drained within %v; the commands in hand are decided again by the next owner", s.cfg.Name, s.cfg.drainTimeout()))
	}
	s.mu.Lock()
	s.failure = err
	s.mu.Unlock()
	return err
}

// Ready tells whether the service can do its work: replies are read, the groups it owns and those of its projections are joined, every partition
// assigned to it serves, its shards of projections are claimed, and the brokers accept its certificate and credentials. How far projections
// are, and whether one is stopped, is not asked: see [Service.Projections]. The error says what is missing; nil means ready.
func (s *Service) Ready() error {
	if err := s.unstopped(); err != nil {
		return err
	}
	if err := errors.Join(s.reading(), s.sealingReady()); err != nil {
		return err
	}
	for _, o := range s.owners {
		if err := o.ready(); err != nil {
			return err
		}
	}
	for _, p := range s.projections {
		if err := p.ready(); err != nil {
			return err
		}
	}
	return s.linked()
}

// AwaitReady blocks until the service is ready, has ended, or ctx ends. A stopped partition does not become ready by waiting, so it is
// an error at once.
func (s *Service) AwaitReady(ctx context.Context) error {
	for {
		changed := s.board.changes()
		err := s.Ready()
		if err == nil || errors.Is(err, ErrClosed) || errors.Is(err, errStopped) {
			return err
		}
		select {
		case <-changed:
		case <-s.closed:
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ctx.Err(), err)
		}
	}
}

var errStopped = errors.New("partition stopped")

// Healthy tells whether the service moves: it has not ended, and no partition and no shard of a projection is stopped. The error names the
// first fault.
func (s *Service) Healthy() error {
	if err := s.unstopped(); err != nil {
		return err
	}
	if s.control != nil {
		if err := s.control.Failure(); err != nil {
			return err
		}
	}
	for _, p := range s.Projections() {
		if p.State == projector.Stopped && !p.Standby {
			return fmt.Errorf("projection %s: shard %d: %w (%s)", p.Projection, p.Shard, errStopped, p.Reason)
		}
	}
	return nil
}

// unstopped tells whether what the service owns moves. Readiness takes no more: a projection that is stopped keeps the others from nothing.
func (s *Service) unstopped() error {
	if err := s.ended(); err != nil {
		return err
	}
	for _, p := range s.board.list() {
		if p.State == Stopped {
			return fmt.Errorf("%s[%d]: %w (%s): %w", p.Group, p.Partition, errStopped, p.Reason, p.Cause)
		}
	}
	return nil
}

// ended gives ErrClosed, with the reason where there is one, after Close and after the end of Run.
func (s *Service) ended() error {
	select {
	case <-s.closed:
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.failure != nil {
			return fmt.Errorf("%w: %w", ErrClosed, s.failure)
		}
		return ErrClosed
	default:
		return nil
	}
}

// reading tells whether Run has begun: from then on replies are read, from a place that Open fixed.
func (s *Service) reading() error {
	select {
	case <-s.started:
		return nil
	default:
		return errors.New("service: Run has not begun")
	}
}

// Status gives what every partition this instance has had is doing, sorted by group and partition.
func (s *Service) Status() []PartitionStatus { return s.status() }

func (o *owner) ready() error {
	select {
	case <-o.idle:
	default:
		return fmt.Errorf("group %s: not joined yet", o.group.Name())
	}
	if n := o.board.count(o.group.Name(), Recovering); n > 0 {
		return fmt.Errorf("group %s: %d partitions are being recovered", o.group.Name(), n)
	}
	return nil
}

func (s *Service) storeDir() string { return filepath.Join(s.cfg.DataDir, "state") }

// foreign is called for a journal record that the toolkit did not write.
func (o *owner) foreign(at muster.Position) {
	o.metrics.foreign.WithLabelValues(o.group.Name()).Inc()
	o.log.Error("foreign record in the journal passed over; only the owner may write there", "group", o.group.Name(), "partition", at.Partition, "offset", at.Offset)
}

// fetchFault is called for commands that cannot be fetched, as with a batch that decompresses to too much.
func (o *owner) fetchFault(topic string, partition int32, offset int64, err error) {
	o.metrics.faults.WithLabelValues(o.group.Name()).Inc()
	o.log.Error("commands cannot be fetched", "group", o.group.Name(), "topic", topic, "partition", partition, "offset", offset, "error", err)
}

func (o *owner) close() {
	if o.producer != nil {
		o.producer.Close()
	}
	if o.consumer != nil {
		o.consumer.Close()
	}
}
