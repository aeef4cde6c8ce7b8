package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// peek reads what the owner in this process has stored, without a round trip. It may be behind, and says how old it is.
func peek(owner **stage.Running, id string, balance int64, revision uint64) stage.Step {
	return stage.NewStep("peek", id+", in the owner's store", func(context.Context) (string, error) {
		seen, err := newAccount().Peek(*owner, id)
		if err != nil {
			return "", err
		}
		text, err := done(seen.State, nil, seen.Revision, balance, revision)
		if err == nil && !seen.Owned {
			err = errors.New("the owner says that the partition is not its own")
		}
		return fmt.Sprintf("%s, %.3f s old, read up to %s", text, time.Since(seen.Time).Seconds(), seen.Position), err
	})
}
