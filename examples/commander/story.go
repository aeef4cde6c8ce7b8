package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/examples/commander/signup"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// tellStory runs both services in this process, and what happens between them.
func tellStory(ctx context.Context, set settings, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	broker, stopBroker, err := set.startBroker(ctx)
	if err != nil {
		return err
	}
	defer stopBroker()
	disk, err := os.MkdirTemp("", "commander-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(disk)
	fmt.Fprintf(out, "A user registration on Muster. Broker: %s\n", broker)

	s := &story{set: set, disk: disk, teller: stage.NewTeller(out, 9, 40), tally: newTally()}
	err = errors.Join(s.tell(ctx), s.end())
	if err == nil {
		fmt.Fprintf(out, "\nAll %d checks held.\n", s.teller.Steps())
	}
	return err
}

// story is what is running while it is told.
type story struct {
	set     settings
	disk    string // the registration's data directory
	teller  *stage.Teller
	tally   *tally // of the registration
	owner   *stage.Running
	website *website
}

func (s *story) tell(ctx context.Context) error {
	t := s.teller
	if err := t.Chapter(ctx, "Two services start", s.registration(), s.open("calls, subscribes, owns nothing")); err != nil {
		return err
	}
	w := s.website
	ada, stages := signup.NewUser{Name: "Ada", Email: "ada@mail.example"}, "validate, create, notify"
	if err := t.Chapter(ctx, "A visitor waits for the outcome",
		w.register("ada", ada, stages, muster.CommandID("form-1")),
		w.repeat("ada", ada, "form-1"),
		w.refuse("eve", signup.NewUser{Name: "Eve", Email: ada.Email}, muster.AlreadyExists, "UserRejected"),
		w.refuse("fay", signup.NewUser{Email: "fay@mail.example"}, muster.InvalidArgument),
		w.refuse("gus", signup.NewUser{Name: "Gus", Email: "gus@spam.example"}, muster.PermissionDenied),
		w.register("cem", signup.NewUser{Name: "Cem", Email: "cem@slow.example"}, stages),
		w.unknown("ada", "DeleteUser", "UserCreated", "CommandUnknown"),
	); err != nil {
		return err
	}
	bob := &batch{website: &s.website, id: "bob", in: signup.NewUser{Name: "Bob", Email: "bob@mail.example"}, command: "row-1"}
	dan := &batch{website: &s.website, id: "dan", in: signup.NewUser{Name: "Dan", Email: "dan@mail.example"}, command: "row-2"}
	if err := t.Chapter(ctx, "A batch does not wait", bob.send(), bob.await(), s.welcomed("ada", "bob", "cem")); err != nil {
		return err
	}
	return t.Chapter(ctx, "The website restarts",
		s.close(),
		s.open("another instance"),
		dan.send(),
		dan.await(),
		s.welcomed("dan"),
		s.counted("CheckAddress 6, NewUser 7, SendMail 4, other 1"),
	)
}
