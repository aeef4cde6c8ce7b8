package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

func (s *story) registration() stage.Step {
	return stage.NewStep("service", "registration", func(ctx context.Context) (_ string, err error) {
		cfg := s.set.service("registration")
		cfg.DataDir = s.disk
		cfg.Handling = []muster.Middleware{s.tally.count}
		if s.owner, err = stage.Start(ctx, cfg, parts()...); err != nil {
			return "", err
		}
		return "owns groups users and mails", nil
	})
}

func (s *story) open(what string) stage.Step {
	return stage.NewStep("service", "website", func(ctx context.Context) (_ string, err error) {
		s.website, err = openWebsite(ctx, s.set, s.teller)
		return what, err
	})
}

func (s *story) close() stage.Step {
	return stage.NewStep("service", "website", func(context.Context) (string, error) {
		stopped := s.website.Stop()
		s.website = nil
		return "drained and gone", stopped
	})
}

// welcomed waits until the subscriber has the list; each user is on it once.
func (s *story) welcomed(ids ...string) stage.Step {
	return stage.NewStep("events", "MailSent, as the subscriber has them", func(ctx context.Context) (string, error) {
		return fmt.Sprintf("welcomed: %s", strings.Join(ids, ", ")), s.website.list.await(ctx, ids...)
	})
}

// counted compares what the middleware has seen: each command once, and no repeat, which is answered without a handler.
func (s *story) counted(want string) stage.Step {
	return stage.NewStep("counts", "commands that reached a handler", func(context.Context) (string, error) {
		if got := s.tally.String(); got != want {
			return "", fmt.Errorf("the middleware has counted %s, want %s", got, want)
		}
		return want, nil
	})
}

// end stops everything that is still running.
func (s *story) end() (err error) {
	if s.website != nil {
		err = s.website.Stop()
	}
	if s.owner != nil {
		err = errors.Join(err, s.owner.Stop())
	}
	return err
}
