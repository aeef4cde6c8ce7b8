package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/projector"
)

// all names every shard of the projection, of the version that the build has.
func (s *story) all() projector.Scope { return projector.Scope{Projection: s.totals.String()} }

// letters lists what was put aside, with its cause.
func (s *story) letters(want ...string) stage.Step {
	return stage.NewStep("letters", "what was put aside", func(ctx context.Context) (string, error) {
		letters, err := s.worker.Operator().Letters(ctx, projector.LetterQuery{Scope: s.all()})
		if err != nil {
			return "", err
		}
		var got []string
		for _, l := range letters {
			line := fmt.Sprintf("%s %s", l.Event.Type, l.Kind)
			if l.Cause != "" {
				line += ": " + l.Cause
			}
			got = append(got, line)
			s.teller.Detail("%s", line)
		}
		if !slices.Equal(got, want) {
			return "", fmt.Errorf("there is %q, want %q", got, want)
		}
		return fmt.Sprintf("%d events", len(letters)), nil
	})
}

func (s *story) retry() stage.Step {
	return stage.NewStep("order", "retry all that is parked", func(ctx context.Context) (string, error) {
		return "done, in order", s.worker.Operator().RetryAll(ctx, s.all())
	})
}

func (s *story) pause() stage.Step {
	return stage.NewStep("order", "pause, on every instance", func(ctx context.Context) (string, error) {
		if err := s.worker.Operator().Pause(ctx, s.all()); err != nil {
			return "", err
		}
		return s.states(ctx, projector.Paused)
	})
}

func (s *story) resume() stage.Step {
	return stage.NewStep("order", "resume", func(ctx context.Context) (string, error) {
		return "it goes on", s.worker.Operator().Resume(ctx, s.all())
	})
}

// states compares what the shards say of themselves.
func (s *story) states(ctx context.Context, want projector.State) (string, error) {
	shards, err := s.worker.Operator().Status(ctx, s.all())
	if err != nil {
		return "", err
	}
	var wrong []string
	for i := range shards {
		if shards[i].State != want {
			wrong = append(wrong, fmt.Sprintf("shard %d is %s", shards[i].Shard, shards[i].State))
		}
	}
	if len(shards) == 0 || len(wrong) > 0 {
		return "", fmt.Errorf("of %d shards not all are %s: %s", len(shards), want, strings.Join(wrong, ", "))
	}
	return fmt.Sprintf("%d shards are %s", len(shards), want), nil
}
