package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/seed-3eec0498/muster/examples/internal/stage"
)

// tellStory is the role of the story: an owner in a process of its own, a caller here, a crash, and another owner here.
func tellStory(ctx context.Context, set settings, out, errs io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	broker, stopBroker, err := set.startBroker(ctx)
	if err != nil {
		return err
	}
	defer stopBroker()
	disks, err := os.MkdirTemp("", "bank-story-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(disks)
	fmt.Fprintf(out, "A bank on Muster. Broker: %s\n", broker)

	s := &story{set: set, errs: errs, teller: stage.NewTeller(out, 10, 41), firstDisk: filepath.Join(disks, "first"), secondDisk: filepath.Join(disks, "second"), booksDisk: filepath.Join(disks, "books")}
	defer func() {
		if ended := s.end(); err == nil {
			err = ended
		}
		if err == nil {
			fmt.Fprintf(out, "\nAll %d checks held.\n", s.teller.Steps())
		}
	}()
	return s.tell(ctx)
}

// story is what is running while it is told.
type story struct {
	set                   settings
	teller                *stage.Teller
	errs                  io.Writer      // where the first owner complains
	firstDisk, secondDisk string         // data directories
	first                 *child         // the owner that will be killed
	second                *stage.Running // the one that takes over
	desk                  *desk
	booksDisk             string
	books                 *books
}

func (s *story) tell(ctx context.Context) error {
	if err := s.teller.Chapter(ctx, "Two services start", s.owner(), s.caller()); err != nil {
		return err
	}
	if err := s.desk.business(ctx); err != nil {
		return err
	}
	d := s.desk
	orders := make([]order, 5)
	for i := range orders {
		orders[i] = d.order(fmt.Sprintf("transfer-%d", 4+i), d.eve, d.fay, 10_00, "a share")
	}
	if err := s.teller.Chapter(ctx, "The owner crashes",
		d.cutShort(s.first, orders[0]),
		d.balance(d.eve, 240_00, 6),
		d.together(290_00, d.eve, d.fay),
		d.send(orders[1:]),
		d.flood(d.bob, 20, 1_00),
		crash(s.set, s.first, s.firstDisk),
		takeOver(s.set, s.secondDisk, &s.second),
		peek(&s.second, d.ada, 175_00, 4),
		d.balance(d.bob, 60_00, 22),
		d.balance(d.ada, 175_00, 4),
		d.repeatGift(175_00, 4),
		d.withdraw(d.ada, 75_00, "shoes", 100_00, 5),
		d.statement(d.ada, 100_00, 5),
		d.finish(orders),
		d.balance(d.eve, 200_00, 10),
		d.balance(d.fay, 100_00, 7),
		d.together(300_00, d.eve, d.fay),
	); err != nil {
		return err
	}
	return s.teller.Chapter(ctx, "The books, which anybody may keep",
		s.keep(s.booksDisk),
		s.depositAndList(d.ada, "Ada", 5_00, "coins", 105_00),
		s.agree(),
		s.printed(d.ada),
	)
}
