package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/examples/internal/stage"
	"github.com/seed-3eec0498/muster/projector"
)

// tellStory runs an owner and workers in this process, on a broker of their own.
func tellStory(ctx context.Context, set settings, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	broker, err := embedded.Start(context.WithoutCancel(ctx), embedded.Config{Logger: set.logger})
	if err != nil {
		return err
	}
	defer broker.Close()
	disk, err := os.MkdirTemp("", "projector-worker-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(disk)
	set.environment.Brokers = broker.Brokers()
	fmt.Fprintf(out, "Views of a bank's accounts, kept by a worker. Broker: embedded, at %s\n", broker.Brokers()[0])
	s := &story{set: set, disk: disk, last: map[string]muster.Position{}, teller: stage.NewTeller(out, 8, 46)}
	err = errors.Join(s.tell(ctx), s.end())
	if err == nil {
		fmt.Fprintf(out, "\nAll %d checks held.\n", s.teller.Steps())
	}
	return err
}

// story is what is running while it is told.
type story struct {
	set    settings
	disk   string
	teller *stage.Teller
	owner  *stage.Running
	worker *stage.Running
	totals *projector.View[total]     // of the build that runs
	last   map[string]muster.Position // of each account's last deposit
}

func (s *story) tell(ctx context.Context) error {
	t := s.teller
	if err := t.Chapter(ctx, "An owner, and a worker that owns nothing",
		s.startOwner(),
		s.startWorker("first build, totals@1", firstBuild.totals()),
		s.deposit("ada", 100_00, "salary: May"),
		s.deposit("bob", 40_00, "gift: birthday"),
		s.row("ada", 100_00, "salary"),
		s.row("bob", 40_00, "gift"),
	); err != nil {
		return err
	}
	if err := t.Chapter(ctx, "An event that this build cannot take",
		s.deposit("ada", 7_00, "found in the street"),
		s.aside("ada", "the deposit of ada was put aside"),
		s.deposit("ada", 50_00, "salary: bonus"),
		s.aside("ada", "the next one of ada waits behind it"),
		s.deposit("bob", 10_00, "gift: name day"),
		s.row("bob", 50_00, "gift"),
		s.still("ada", 100_00, "salary"),
		s.letters("bank.Credited parked: no kind in \"found in the street\"", "bank.Credited waiting"),
	); err != nil {
		return err
	}
	if err := t.Chapter(ctx, "The fix is deployed",
		s.stopWorker(),
		s.startWorker("second build, with the fix", fixedBuild.totals()),
		s.aside("ada", "the deposit of ada is still put aside"),
		s.letters("bank.Credited parked: no kind in \"found in the street\"", "bank.Credited waiting"),
		s.retry(),
		s.letters(),
		s.row("ada", 157_00, "other", "salary"),
	); err != nil {
		return err
	}
	if err := t.Chapter(ctx, "Pause and resume",
		s.pause(),
		s.deposit("bob", 5_00, "gift: coins"),
		s.held("bob"),
		s.still("bob", 50_00, "gift"),
		s.resume(),
		s.caughtUp("bob"),
		s.row("bob", 55_00, "gift"),
	); err != nil {
		return err
	}
	return s.tellVersions(ctx)
}

func (s *story) dir(name string) string { return filepath.Join(s.disk, name) }

// end stops everything that is still running.
func (s *story) end() (err error) {
	if s.worker != nil {
		err = s.worker.Stop()
	}
	if s.owner != nil {
		err = errors.Join(err, s.owner.Stop())
	}
	return err
}
