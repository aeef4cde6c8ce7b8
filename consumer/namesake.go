package consumer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// A namesake is a member of the consumer group with our instance name that is not us. The coordinator tells a member by FENCED_INSTANCE_ID that
// somebody has joined under its name (KIP-345). That can be another process, to which the name is left. It can also be ourselves: a join that
// was cut off in the network, repeated on another connection, and then delivered after all, is taken for a new member. Nobody answers for that
// one, so we join once more, and take its place.
//
// Which of both it is, the group tells: members wear badges, and a badge has the process. While the group rebalances none are seen; who has not
// seen any for a while joins again, a few times.
type namesakes struct {
	log      *slog.Logger
	group    string
	instance string
	process  string
	describe func(context.Context) (kadm.DescribedGroup, error)

	fenced []time.Time // in the last while
}

const (
	namesakeTimes  = 3 // so often in namesakeWithin a member is fenced by somebody it cannot see, before it believes in another process
	namesakeWithin = 2 * time.Minute
)

// judge says what is to be done once the member was fenced: nil to join again, or the error that the name is another process's.
func (n *namesakes) judge(ctx context.Context, cause error) error {
	if n.other(ctx) {
		return fmt.Errorf("instance name %q is used by another process in consumer group %q (%w); that one goes on; give each replica a name of its own",
			n.instance, n.group, cause)
	}
	n.log.WarnContext(ctx, "a join of this instance arrived late and took its place; joining again", "group", n.group)
	return nil
}

// other tells, once the member was fenced, whether another process has its name.
func (n *namesakes) other(ctx context.Context) bool {
	now := time.Now()
	n.fenced = append(slices.DeleteFunc(n.fenced, func(at time.Time) bool { return now.Sub(at) > namesakeWithin }), now)
	bound, cancel := context.WithTimeout(ctx, rebalanceGrace)
	defer cancel()
	for {
		process, seen := n.holder(bound)
		switch {
		case seen && process != n.process:
			return true
		case seen:
			return false
		case pause(bound, retryInterval) != nil:
			return len(n.fenced) >= namesakeTimes
		}
	}
}

// holder gives the process that has the name now. Builds before this one show none.
func (n *namesakes) holder(ctx context.Context) (process string, seen bool) {
	group, err := n.describe(ctx)
	if err != nil {
		return "", false
	}
	for i := range group.Members {
		m := &group.Members[i]
		if m.InstanceID == nil || *m.InstanceID != n.instance {
			continue
		}
		if meta, is := m.Join.AsConsumer(); is {
			b, worn := readBadge(meta.UserData)
			return b.Process, worn
		}
	}
	return "", false
}
