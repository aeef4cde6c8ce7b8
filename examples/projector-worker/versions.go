package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/projector"
)

// tellVersions has totals@2 built beside totals@1 and switched to, while a reader polls all the time and money comes in.
func (s *story) tellVersions(ctx context.Context) (err error) {
	r := &reader{answers: map[string]int{}}
	defer func() { err = errors.Join(err, r.end()) }()
	return s.teller.Chapter(ctx, "Another version, and no moment without answers",
		s.stopWorker(),
		s.startWorker("third build, totals@1 and totals@2", fixedBuild.totals(), fixedBuild.totals2()),
		s.poll(r, "totals@1"),
		s.built(2, 0),
		s.serve(r, 2),
		s.largest("ada", 100_00),
		s.serve(r, 1),
		s.serve(r, 2),
		s.rebuild(r, 2),
		s.polled(r),
	)
}

// poll starts the reader.
func (s *story) poll(r *reader, want string) stage.Step {
	return stage.NewStep("reader", "polls all the time from here on", func(ctx context.Context) (string, error) {
		r.start(ctx, s.totals, s.worker.Views(), 157_00+55_00, s.last)
		return "now from " + want, r.await(ctx, want)
	})
}

// polled says what the reader has seen.
func (s *story) polled(r *reader) stage.Step {
	return stage.NewStep("reader", "what it has read", func(context.Context) (string, error) {
		if err := r.end(); err != nil {
			return "", err
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.answers["totals@1"] == 0 || r.answers["totals@2"] == 0 {
			return "", fmt.Errorf("it was answered by %v, want by both versions", r.answers)
		}
		return fmt.Sprintf("%d answers of totals@1, %d of totals@2, none wrong", r.answers["totals@1"], r.answers["totals@2"]), nil
	})
}

// serve has a version answer, while money comes in.
func (s *story) serve(r *reader, version int) stage.Step {
	name := fmt.Sprintf("totals@%d", version)
	return stage.NewStep("order", "serve "+name+", while money comes in", func(ctx context.Context) (string, error) {
		var paying sync.WaitGroup
		var paid error
		paying.Go(func() { paid = s.pay(ctx, r, 10) })
		err := s.worker.Operator().Serve(ctx, "totals", version)
		paying.Wait()
		if err := errors.Join(err, paid); err != nil {
			return "", err
		}
		return "the reader has it from " + name, r.await(ctx, name)
	})
}

// pay makes deposits, and tells the reader what it must find.
func (s *story) pay(ctx context.Context, r *reader, times int) error {
	for range times {
		r.expect(1_00)
		if _, err := s.deposit("ada", 1_00, "gift: coin").Do(ctx); err != nil {
			return err
		}
		r.committed(1_00, s.last["ada"])
	}
	return nil
}

// built waits until a version has caught up.
func (s *story) built(version, generation int) stage.Step {
	return stage.NewStep("status", fmt.Sprintf("totals@%d, generation %d", version, generation), func(ctx context.Context) (string, error) {
		return "caught up, beside what serves", s.worker.Operator().AwaitReady(ctx, fmt.Sprintf("totals@%d", version), generation)
	})
}

// rebuild makes the rows anew, beside those that go on answering.
func (s *story) rebuild(r *reader, version int) stage.Step {
	return stage.NewStep("order", "rebuild, while money comes in", func(ctx context.Context) (string, error) {
		name := fmt.Sprintf("totals@%d", version)
		generation, err := s.worker.Operator().Rebuild(ctx, name)
		if err != nil {
			return "", err
		}
		if err := s.pay(ctx, r, 10); err != nil {
			return "", err
		}
		return fmt.Sprintf("generation %d has caught up, and answers", generation), s.worker.Operator().AwaitServing(ctx, name, generation)
	})
}

// largest reads what only version 2 has.
func (s *story) largest(id string, want int64) stage.Step {
	return stage.NewStep("read", "largest deposit of "+id, func(ctx context.Context) (string, error) {
		row, err := s.totals.Get(ctx, s.worker.Views(), id, projector.AtVersion(2), projector.AtLeast(s.last[id]))
		if err == nil && row.Largest != want {
			err = fmt.Errorf("%s, want %s", money(row.Largest), money(want))
		}
		return fmt.Sprintf("%9s", money(row.Largest)), err
	})
}
