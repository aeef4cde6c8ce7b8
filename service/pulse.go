package service

import (
	"fmt"
	"sync/atomic"
	"time"
)

// pulse tells whether a lane moves. Its loops beat it; who asks for liveness reads it.
type pulse struct {
	busy atomic.Int32 // loops of the lane that have work in hand
	last atomic.Int64 // nanoseconds since 1970 of the latest movement
}

func (p *pulse) beat() { p.last.Store(time.Now().UnixNano()) }

func (p *pulse) begin() { p.beat(); p.busy.Add(1) }

func (p *pulse) end() { p.busy.Add(-1); p.beat() }

// still gives for how long the lane has had work and not moved.
func (p *pulse) still(now time.Time) time.Duration {
	if p.busy.Load() == 0 {
		return 0
	}
	return max(0, now.Sub(time.Unix(0, p.last.Load())))
}

// stallFactor says how many times the longest bounded step of a lane has to pass until it counts as stuck.
const stallFactor = 3

// stallLimit is after how long without movement a lane with work in hand is stuck. A handler is given up at its deadline and an attempt to
// commit at the transaction timeout, and each attempt counts as movement, so that brokers that are away do not make a lane stuck.
func (c Config) stallLimit() time.Duration {
	return stallFactor * max(c.handlerDeadline(), orDefault(c.TransactionTimeout, 15*time.Second))
}

// stuck names the first lane that does not move.
func (o *owner) stuck(now time.Time) error {
	for i := range o.pulses {
		if still := o.pulses[i].still(now); still > o.cfg.stallLimit() {
			return fmt.Errorf("group %s: lane %d has work in hand and has not moved for %v; look at the disk of DataDir, and take a goroutine dump before a restart",
				o.group.Name(), i, still.Round(time.Second))
		}
	}
	return nil
}

// Live tells whether the service moves: it has not ended, and no lane with work in hand has stood still for three times the handler deadline
// or the transaction timeout, whichever is longer. When it fails a restart helps. Brokers that are away, commands that wait and stopped
// partitions do not make it fail: a restart would not mend them; see [Service.Ready] and [Service.Healthy].
func (s *Service) Live() error {
	if err := s.ended(); err != nil {
		return err
	}
	for _, o := range s.owners {
		if err := o.stuck(time.Now()); err != nil {
			return err
		}
	}
	return nil
}
