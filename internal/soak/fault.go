//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// fault is a step that was carried out.
type fault struct {
	step
	Began      time.Time
	Healed     time.Time // when all was as before: everybody ready, or every replica in sync
	Partitions []int32   // of the group: those served by the instance, or led by the broker, when it began
}

// injector carries faults out.
type injector struct {
	network *network
	cluster *kafkatest.Cluster
	disks   []*disk // of the brokers; none where no disk is to be broken
	fleet   *fleet
	ledgers *ledgers
	say     func(format string, args ...any)
	broken  func(error) // told of what does not heal

	mu   sync.Mutex // guards done
	done []fault
}

const (
	readyLimit = 90 * time.Second // for all instances to be ready after a fault has ended
	idleLimit  = 20 * time.Second // for a target to have something to do before it is broken
	drainLimit = 45 * time.Second // for an instance to end in order
)

// follow carries out what a schedule says, one step after another. Once over is done it begins no other, and brings the one in hand to its end; where
// ctx ends that one is cut short.
func (j *injector) follow(ctx, over context.Context, s *schedule) {
	for {
		next := s.next()
		select {
		case <-over.Done():
			return
		case <-time.After(next.pause):
		}
		if err := j.carryOut(ctx, next); err != nil {
			j.broken(fmt.Errorf("%s: %w", next, err))
			return
		}
	}
}

// carryOut does one step, and returns when all has healed.
func (j *injector) carryOut(ctx context.Context, s step) error {
	healing := context.WithoutCancel(ctx)
	f := fault{step: s, Partitions: j.worthwhile(ctx, s)}
	if ctx.Err() != nil {
		return nil
	}
	f.Began = time.Now()
	j.say("%s (partitions %v)", s, f.Partitions)
	hold := func() {
		select {
		case <-ctx.Done():
		case <-time.After(s.lasts):
		}
	}
	var err error
	switch {
	case s.class == classNet:
		err = j.breakNet(healing, s, hold)
	case s.hand == handBrokers:
		err = j.breakBroker(healing, s, hold)
	default:
		err = j.breakInstance(s, hold)
	}
	if err == nil && s.hand == handBrokers {
		if err = j.cluster.AwaitInSync(healing); err == nil {
			err = j.cluster.PreferLeaders(healing)
		}
	}
	if err == nil && s.hand == handInstances {
		err = j.fleet.awaitReady(healing, readyLimit)
	}
	f.Healed = time.Now()
	j.mu.Lock()
	defer j.mu.Unlock()
	j.done = append(j.done, f)
	return err
}

// faults gives what was carried out.
func (j *injector) faults() []fault {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.done)
}

// worthwhile waits, bounded, until the target has something to do: an instance that others have taken over from gets partitions back a while after it is
// ready, and a broker leads again a while after it was elected.
func (j *injector) worthwhile(ctx context.Context, s step) (partitions []int32) {
	ctx, cancel := context.WithTimeout(ctx, idleLimit)
	defer cancel()
	_ = poll(ctx, func() bool { // a target without anything is broken all the same
		partitions = j.affected(ctx, s)
		return len(partitions) > 0
	})
	return partitions
}

// affected gives the partitions that a step touches.
func (j *injector) affected(ctx context.Context, s step) []int32 {
	if s.hand == handInstances {
		return j.fleet.all[s.target].serves(ctx)
	}
	var all []int32
	for _, topic := range []string{j.ledgers.group.JournalTopic(""), j.ledgers.group.CommandTopic("")} {
		led, err := j.cluster.Led(ctx, topic)
		if err != nil {
			continue // then the step has no recovery time
		}
		for broker, partitions := range led {
			if s.name == "rolling" || broker == int32(s.target) {
				all = append(all, partitions...)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (j *injector) breakInstance(s step, hold func()) error {
	i := j.fleet.all[s.target]
	switch s.name {
	case "kill", "kill-takeover":
		i.kill()
		hold()
		return j.fleet.start(i)
	case "kill-lost":
		i.kill()
		hold()
		return errors.Join(wipe(i.settings.Dir), j.fleet.start(i))
	case "lost":
		if err := i.end(drainLimit); err != nil { // while a broker is away it may not get everything done, as its manual says
			j.say("%v", err)
		}
		return errors.Join(wipe(i.settings.Dir), j.fleet.start(i))
	case "stop":
		i.pause()
		hold()
		i.resume()
		return nil
	case "full":
		err := i.disk.fill()
		hold()
		return errors.Join(err, i.disk.free())
	default:
		return fmt.Errorf("nobody knows how to do %s", s.name)
	}
}

func (j *injector) breakBroker(ctx context.Context, s step, hold func()) error {
	b := j.cluster.Broker(int32(s.target))
	switch s.name {
	case "rolling":
		for id := range j.cluster.Brokers() {
			if err := j.cluster.Broker(int32(id)).Restart(ctx); err != nil {
				return err
			}
			if err := j.cluster.AwaitInSync(ctx); err != nil {
				return err
			}
		}
		return nil
	case "broker-kill":
		if err := b.Kill(); err != nil {
			return err
		}
		hold()
		return b.Restart(ctx)
	case "broker-lost":
		return b.RestartEmpty(ctx)
	case "broker-full":
		err := j.disks[s.target].fill()
		hold()
		return errors.Join(err, j.disks[s.target].free(), b.Restart(ctx))
	default:
		return fmt.Errorf("nobody knows how to do %s", s.name)
	}
}

// link is one direction between two.
type link struct{ from, to node }

func (j *injector) breakNet(ctx context.Context, s step, hold func()) error {
	if s.name == "slow" {
		one := j.network.instances[s.target]
		if err := j.network.hamper(ctx, one); err != nil {
			return err
		}
		hold()
		return j.network.relieve(ctx, one)
	}
	var faults []error
	links := j.links(s)
	for _, l := range links {
		faults = append(faults, j.network.cut(ctx, l.from, l.to))
	}
	if errors.Join(faults...) == nil {
		hold()
	}
	for _, l := range links {
		faults = append(faults, j.network.mend(ctx, l.from, l.to))
	}
	return errors.Join(faults...)
}

// links gives what a step cuts.
func (j *injector) links(s step) []link {
	brokers := j.network.brokers
	if s.hand == handBrokers {
		var links []link
		for id, other := range brokers {
			if id == s.target {
				continue
			}
			links = append(links, link{brokers[s.target], other})
			if s.name == "broker-cut" {
				links = append(links, link{other, brokers[s.target]})
			}
		}
		return links
	}
	if s.name == "cut-one" || s.name == "mute-one" {
		brokers = brokers[s.other : s.other+1]
	}
	var links []link
	for _, b := range brokers {
		if s.name != "deaf" {
			links = append(links, link{j.network.instances[s.target], b})
		}
		if s.name != "mute" && s.name != "mute-one" {
			links = append(links, link{b, j.network.instances[s.target]})
		}
	}
	return links
}
