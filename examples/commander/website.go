package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// website is a service that owns nothing: it sends commands and keeps a list of who was welcomed.
type website struct {
	*stage.Running
	teller *stage.Teller
	list   *welcomed
}

func openWebsite(ctx context.Context, set settings, t *stage.Teller) (*website, error) {
	w := &website{teller: t, list: newWelcomed()}
	cfg := set.service("website")
	cfg.Sending = []muster.Middleware{signed("website")}
	svc, err := stage.Start(ctx, cfg, w.list.subscription())
	if err != nil {
		return nil, err
	}
	w.Running = svc
	return w, nil
}

// register waits for the outcome and shows the stages on the way.
func (w *website) register(id string, in signup.NewUser, stages string, opts ...muster.CallOption) stage.Step {
	return stage.NewStep("call", fmt.Sprintf("NewUser %s, %s", id, in.Email), func(ctx context.Context) (string, error) {
		var passed []string
		var user signup.User
		for update, err := range signup.Register.Stream(ctx, w.Client(), id, in, opts...) {
			switch {
			case err != nil:
				return "", err
			case update.Step != nil:
				stage, err := muster.StepOf[signup.Stage](update.Step)
				if err != nil {
					return "", err
				}
				if update.Step.Number == 1 {
					passed = nil // the handler runs anew, as after an aborted transaction
				}
				passed = append(passed, stage.Name)
			default:
				user = update.Result
			}
		}
		if got := strings.Join(passed, ", "); got != stages {
			return "", fmt.Errorf("the stages were %q, want %q", got, stages)
		}
		if user.ID != id || user.Name != in.Name || user.Email != in.Email {
			return "", fmt.Errorf("the answer is %+v, want user %s as asked for", user, id)
		}
		w.teller.Detail("%-40s on the way: %s", "", stages)
		return "created", nil
	})
}

// repeat sends the same command once more.
func (w *website) repeat(id string, in signup.NewUser, command string) stage.Step {
	return stage.NewStep("call", "the same with the same id", func(ctx context.Context) (string, error) {
		var r muster.Receipt
		user, err := signup.Register.Call(ctx, w.Client(), id, in, muster.CommandID(command), muster.ReceiptTo(&r))
		if err == nil && (!r.Repeated || user.ID != id || r.Revision != 1) {
			err = fmt.Errorf("the answer is %+v with the receipt %+v, want a repeat", user, r)
		}
		return "the first answer repeated", err
	})
}

// refuse expects a refusal, and the events that the user's id has then.
func (w *website) refuse(id string, in signup.NewUser, want muster.Code, events ...string) stage.Step {
	return stage.NewStep("call", fmt.Sprintf("NewUser %s, %s", id, in.Email), func(ctx context.Context) (string, error) {
		_, err := signup.Register.Call(ctx, w.Client(), id, in)
		return w.refused(ctx, id, err, want, events)
	})
}

// unknown calls a command of no contract, by its name.
func (w *website) unknown(id, name string, events ...string) stage.Step {
	return stage.NewStep("call", name+" "+id, func(ctx context.Context) (string, error) {
		stranger := muster.NewCommand[muster.Raw, muster.Raw](muster.NewGroup(signup.Users.Name(), muster.Partitions(3)), name)
		_, err := stranger.Call(ctx, w.Client(), id, nil)
		return w.refused(ctx, id, err, muster.Unimplemented, events)
	})
}

func (w *website) refused(ctx context.Context, id string, err error, want muster.Code, events []string) (string, error) {
	refusal, typed := errors.AsType[*muster.Error](err)
	if !typed || refusal.Code != want || !refusal.Remote {
		return "", fmt.Errorf("want a refusal with %v, got %w", want, err)
	}
	var got []string
	for event, err := range w.History(ctx, signup.Users, id) {
		if err != nil {
			return "", err
		}
		got = append(got, event.Type)
	}
	if strings.Join(got, ", ") != strings.Join(events, ", ") {
		return "", fmt.Errorf("%s has the events %v, want %v", id, got, events)
	}
	if len(got) > 0 {
		w.teller.Detail("%-40s in the journal: %s", "", strings.Join(got, ", "))
	}
	return "refused: " + refusal.Code.String() + ", " + refusal.Message, nil
}
