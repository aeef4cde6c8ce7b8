package consumer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster/kafka"
)

// freshness bounds how long Open waits for a broker that is passing through something: that has not heard of a topic yet which was made a
// moment ago, or of its leaders, or that lost a connection.
const freshness = 10 * time.Second

// whenSettled asks until the answer is one that lasts, or the bound is over. Topics are made or checked before anything here is opened, so
// that a topic is not known is an answer out of date: in a cluster every broker learns of a topic in its own time.
func whenSettled(ctx context.Context, ask func() error) error {
	bound, cancel := context.WithTimeout(ctx, freshness)
	defer cancel()
	var last error
	for {
		err := ask()
		if err != nil && last != nil && ctx.Err() != nil {
			return last // it says more than that the time was over during the next question
		}
		if !unsettled(err) || pause(bound, retryInterval) != nil {
			return err
		}
		last = err
	}
}

func unsettled(err error) bool {
	if kafka.Retriable(err) {
		return true
	}
	for _, fresh := range []error{
		kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.LeaderNotAvailable, kerr.NotLeaderForPartition, kerr.ReplicaNotAvailable,
	} {
		if errors.Is(err, fresh) {
			return true
		}
	}
	return false
}
