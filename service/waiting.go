package service

import (
	"fmt"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// retryOf gives the policy of a group: its own, or else the one of all.
func (c Config) retryOf(group string) muster.RetryPolicy {
	if own, has := c.GroupRetry[group]; has {
		return own
	}
	return c.Retry
}

func (c Config) maxWaiting() int { return orDefault(c.MaxWaiting, muster.MaxWaiting) }

// retryFaults gives what is wrong with the settings of retries.
func (c Config) retryFaults() []error {
	var faults []error
	if err := c.Retry.Validate(); err != nil {
		faults = append(faults, fmt.Errorf("service: Retry: %w", err))
	}
	for group, policy := range c.GroupRetry {
		if err := policy.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("service: GroupRetry of %s: %w", group, err))
		}
	}
	return faults
}

// retryGroups gives what is wrong with GroupRetry beside the groups that are owned.
func (c Config) retryGroups(owned []*muster.Behaviour) (faults []error) {
	for group := range c.GroupRetry {
		if !slices.ContainsFunc(owned, func(b *muster.Behaviour) bool { return b.Group().Name() == group }) {
			faults = append(faults, fmt.Errorf("service %s: GroupRetry names group %s, which this service does not own", c.Name, group))
		}
	}
	return faults
}

// await tells the consumer which commands of a committed round are not finished, and counts those that were tried in vain.
func (l *lane) await(round *muster.Round, work *consumer.Work) {
	waiting := round.Waiting()
	if len(waiting) == 0 {
		return
	}
	work.Wait(waiting)
	retried := map[int32]int{}
	for i := range waiting {
		if waiting[i].Retried {
			retried[work.Commands[waiting[i].Index].Partition]++
		}
	}
	for partition, n := range retried {
		l.o.metrics.retries.WithLabelValues(l.o.group.Name()).Add(float64(n))
		l.o.log.Debug("commands are tried again later", "group", l.o.group.Name(), "partition", partition, "commands", n)
	}
}

// gauges are those of waiting commands.
func (o *owner) gauges() {
	group := prometheus.Labels{"group": o.group.Name()}
	o.metrics.gauge("waiting_commands", "Commands that wait for another try, or behind one that does, in the partitions of this instance.", group, func() float64 {
		sum := 0
		for _, n := range o.consumer.Waiting() {
			sum += n
		}
		return float64(sum)
	})
	o.metrics.gauge("crowded_partitions", "Partitions whose further commands are held back because as many wait as may.", group, func() float64 {
		crowded := 0
		for _, n := range o.consumer.Waiting() {
			if n >= o.cfg.maxWaiting() {
				crowded++
			}
		}
		return float64(crowded)
	})
}

// status adds to what the board has how many commands wait.
func (s *Service) status() []PartitionStatus {
	all := s.board.list()
	for _, o := range s.owners {
		waiting := o.consumer.Waiting()
		for i := range all {
			if all[i].Group == o.group.Name() {
				all[i].Waiting = waiting[all[i].Partition]
				all[i].Crowded = all[i].Waiting >= s.cfg.maxWaiting()
			}
		}
	}
	return all
}
