package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/bank/bank"
	"github.com/seed-3eec0498/muster/examples/bank/bankpb"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

func (s *story) startOwner() stage.Step {
	return stage.NewStep("owner", "takes deposits", func(ctx context.Context) (_ string, err error) {
		cfg := s.set.service("bank")
		cfg.DataDir, cfg.Instance = s.dir("owner"), "owner"
		s.owner, err = stage.Start(ctx, cfg, newOwner())
		return "owns group accounts", err
	})
}

// startWorker starts a build of the worker. Each has the disk of the one before, as a deployment would.
func (s *story) startWorker(what string, totals ...*projector.View[total]) stage.Step {
	return stage.NewStep("worker", what, func(ctx context.Context) (_ string, err error) {
		cfg := s.set.service("bank-views")
		cfg.DataDir, cfg.Instance = s.dir("worker"), ""
		parts := make([]service.Part, len(totals))
		for i := range totals {
			parts[i] = totals[i]
		}
		if s.worker, err = stage.Start(ctx, cfg, parts...); err != nil {
			return "", err
		}
		s.totals = totals[0]
		for _, v := range totals {
			if err := s.taken(ctx, v); err != nil {
				return "", err
			}
		}
		return "ready, " + s.worker.Instance(), nil
	})
}

// taken looks until the worker has said of every shard what it does with it. An order is not waited for where nobody is known to hold the shard.
func (s *story) taken(ctx context.Context, v *projector.View[total]) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	all := len(v.Shards(s.set.prefix))
	for {
		shards, err := s.worker.Operator().Status(ctx, projector.Scope{Projection: v.String()})
		claiming := slices.ContainsFunc(shards, func(one projector.Status) bool { return one.State == projector.Claiming })
		if err != nil || len(shards) == all && !claiming {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("only %d of %d shards of %s are held: %w", len(shards), all, v, ctx.Err())
		}
	}
}

func (s *story) stopWorker() stage.Step {
	return stage.NewStep("worker", "is stopped", func(context.Context) (string, error) {
		err := s.worker.Stop()
		s.worker = nil
		return "drained and gone", err
	})
}

// deposit is what the bank's customers do; the owner knows nothing of views.
func (s *story) deposit(id string, amount int64, text string) stage.Step {
	return stage.NewStep("deposit", fmt.Sprintf("%s, %s, %q", id, money(amount), text), func(ctx context.Context) (string, error) {
		var r muster.Receipt
		_, err := bank.Deposit.Call(ctx, s.owner.Client(), id, &bankpb.DepositMoney{Amount: amount, Text: text}, muster.ReceiptTo(&r))
		if err != nil {
			return "", err
		}
		s.last[id] = r.Position
		return "committed at " + r.Position.String(), nil
	})
}

// row reads a row as soon as the view has the last deposit of that account.
func (s *story) row(id string, in int64, kinds ...string) stage.Step {
	return stage.NewStep("read", "totals of "+id, func(ctx context.Context) (string, error) {
		return s.get(ctx, id, in, kinds, projector.AtLeast(s.last[id]))
	})
}

// still reads a row as it is.
func (s *story) still(id string, in int64, kinds ...string) stage.Step {
	return stage.NewStep("read", "totals of "+id+", as before", func(ctx context.Context) (string, error) {
		return s.get(ctx, id, in, kinds)
	})
}

func (s *story) get(ctx context.Context, id string, in int64, kinds []string, opts ...projector.ReadOption) (string, error) {
	row, err := s.totals.Get(ctx, s.worker.Views(), id, opts...)
	if err != nil {
		return "", err
	}
	got := slices.Sorted(maps.Keys(row.Kinds))
	if row.In != in || !slices.Equal(got, kinds) {
		return "", fmt.Errorf("in %s of %v, want %s of %v", money(row.In), got, money(in), kinds)
	}
	return fmt.Sprintf("%9s  %s", money(row.In), strings.Join(got, ", ")), nil
}

// aside waits for the last deposit of an account, which the view will not have: the wait tells why.
func (s *story) aside(id, what string) stage.Step {
	return s.wait(id, what, muster.FailedPrecondition)
}

// held waits for the last deposit of an account while nothing moves.
func (s *story) held(id string) stage.Step {
	return s.wait(id, "the deposit is not applied", muster.Unavailable)
}

// caughtUp waits for the last deposit of an account.
func (s *story) caughtUp(id string) stage.Step {
	return s.wait(id, "the deposit is applied", muster.OK)
}

func (s *story) wait(id, what string, want muster.Code) stage.Step {
	return stage.NewStep("wait", what, func(ctx context.Context) (string, error) {
		err := s.worker.AwaitView(ctx, "totals", s.totals.Version(), s.last[id])
		if got := muster.CodeOf(err); got != want {
			return "", fmt.Errorf("the wait ended with %v (%w), want %v", got, err, want)
		}
		return want.String(), nil
	})
}
