package main

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

func (s *story) owner() stage.Step {
	return stage.NewStep("owner", "a process of its own", func(ctx context.Context) (_ string, err error) {
		s.first, err = startChild(ctx, s.set, s.firstDisk, s.errs)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("process %d owns groups accounts and transfers", s.first.pid()), nil
	})
}

func (s *story) caller() stage.Step {
	return stage.NewStep("caller", "this process", func(ctx context.Context) (_ string, err error) {
		s.desk, err = openDesk(ctx, s.set, s.teller)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s owns nothing and has a client", s.desk.Instance()), nil
	})
}

// end stops everything that is still running.
func (s *story) end() (err error) {
	if s.books != nil {
		err = s.books.Stop()
	}
	if s.desk != nil {
		if stopped := s.desk.Stop(); err == nil {
			err = stopped
		}
	}
	if s.second != nil {
		if stopped := s.second.Stop(); err == nil {
			err = stopped
		}
	}
	if s.first != nil {
		s.first.kill()
	}
	return err
}
