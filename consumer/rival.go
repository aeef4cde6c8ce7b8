package consumer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster"
)

// ReasonRival is the Reason of the error that refuses a second service on one group.
const ReasonRival = "owned-by-another-service"

// rival is a member of the consumer group that works for another service.
type rival struct {
	badge
	host, client, instance string
}

// rivals gives the service's own start, the earliest of all its members, and the members of other services. A group that is being
// rebalanced shows no badges; then nobody is found, and who looks again later finds them.
func rivals(group kadm.DescribedGroup, own badge) (since int64, others []rival) {
	since = own.Since
	for i := range group.Members {
		m := &group.Members[i]
		meta, is := m.Join.AsConsumer()
		if !is {
			continue
		}
		b, is := readBadge(meta.UserData)
		switch {
		case !is:
		case b.Service == own.Service:
			since = min(since, b.Since)
		default:
			r := rival{badge: b, host: m.ClientHost, client: m.ClientID}
			if m.InstanceID != nil {
				r.instance = *m.InstanceID
			}
			others = append(others, r)
		}
	}
	return since, others
}

func (c *Consumer) refuse(r *rival) error {
	return &muster.Error{
		Code: muster.FailedPrecondition, Reason: ReasonRival,
		Message: fmt.Sprintf("group %q is owned by service %q already (instance %q, client id %q at %s): a group has one owner, and this is service %q; "+
			"stop that one and wait until its session is over, or take the group out of one of both",
			c.config.Group.Name(), r.Service, r.instance, r.client, r.host, c.badge.Service),
	}
}

// rebalanceGrace bounds how long Open waits for the end of a rebalance, to see who the members are.
const rebalanceGrace = 2 * time.Second

// alone refuses to open where another service is at work. What cannot be seen now is seen after the first join.
func (c *Consumer) alone(ctx context.Context) error {
	if c.badge.Service == "" {
		return nil
	}
	bound, cancel := context.WithTimeout(ctx, rebalanceGrace)
	defer cancel()
	for {
		group, err := c.describe(bound)
		switch {
		case deniedGroup(err):
			return c.config.Kafka.Map(fmt.Sprintf("members of consumer group %q", c.members), err, c.groupRight()...)
		case err != nil:
			return nil //nolint:nilerr // a group that is not there yet, or a coordinator on the move
		}
		if _, others := rivals(group, c.badge); len(others) > 0 {
			return c.refuse(&others[0])
		}
		if len(group.Members) == 0 || group.State == "Stable" || pause(bound, retryInterval) != nil {
			return nil
		}
	}
}

// yield looks for another service that joined at the same time, when both had found themselves alone. The later one ends: of two
// services the one whose first member began later; both sides come to the same answer.
func (c *Consumer) yield(ctx context.Context) error {
	if c.badge.Service == "" {
		return nil
	}
	group, err := c.describe(ctx)
	if err != nil {
		return nil //nolint:nilerr // asked again at the next turn
	}
	since, others := rivals(group, c.badge)
	for i := range others {
		if r := &others[i]; r.Since < since || r.Since == since && r.Service < c.badge.Service {
			return c.refuse(r)
		}
	}
	if len(others) > 0 {
		c.log.ErrorContext(ctx, "another service claims this group; it came later, so it will end", "group", c.config.Group.Name(),
			"service", others[0].Service, "instance", others[0].instance, "host", others[0].host)
	}
	return nil
}

// endForRival ends Run where yield says so.
func (c *Consumer) endForRival(ctx context.Context) {
	err := c.yield(ctx)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil && c.fail != nil {
		c.fail(err)
	}
}

// deniedGroup tells whether the right to look at the group is missing.
func deniedGroup(err error) bool { return errors.Is(err, kerr.GroupAuthorizationFailed) }
