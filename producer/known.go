package producer

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

const (
	// madeWithin bounds how long a topic may stay unknown that was made or checked before anything here is opened: in a cluster every broker
	// learns of a topic in its own time, so "unknown" is then an answer out of date.
	madeWithin = 10 * time.Second
	// foundWithin is the same for the topics of others, which may well not exist.
	foundWithin = 100 * time.Millisecond
	knownPause  = 50 * time.Millisecond
)

// whenKnown asks until the broker asked knows the topics, at most for so long; then the last answer stands.
func whenKnown(ctx context.Context, within time.Duration, ask func() error) error {
	for end := time.Now().Add(within); ; {
		err := ask()
		if !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Now().Add(knownPause).After(end) {
			return err
		}
		again := time.NewTimer(knownPause)
		select {
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return context.Cause(ctx)
		}
	}
}
