package service

import (
	"context"
	"errors"

	"github.com/seed-3eec0498/muster"
)

// Drop decides that the open letters that fit are not to be done, and gives how many there were. The note says why, for people; it is kept with
// who did it. The letters stay in their topic until retention deletes them, and are listed as dropped.
func (d *DeadLetters) Drop(ctx context.Context, filter LetterFilter, note string) (int, error) {
	if filter.State != "" && filter.State != LetterOpen {
		return 0, muster.Errorf(muster.InvalidArgument, "only open letters are dropped, not %s ones", filter.State)
	}
	dropped := 0
	var some []Letter
	flush := func() error {
		err := d.mark(ctx, muster.MarkDropped, note, some...)
		if err == nil {
			dropped += len(some)
		}
		some = some[:0]
		return err
	}
	err := d.walk(ctx, muster.Position{}, func(l Letter) error {
		if !filter.fits(&l) {
			return nil
		}
		l.Command.Payload = nil // not needed, and what is gathered should be small
		if some = append(some, l); len(some) == defaultPage {
			return flush()
		}
		return nil
	})
	return dropped, errors.Join(err, flush())
}

// DropAt drops the letter at a position, whatever else is with it. Dropping one that is not open is an error that says what it is.
func (d *DeadLetters) DropAt(ctx context.Context, at muster.Position, note string) error {
	l, err := d.Get(ctx, at)
	if err != nil {
		return err
	}
	if l.State != LetterOpen {
		return muster.Errorf(muster.FailedPrecondition, "the letter at %v is %s already", at, l.State)
	}
	return d.mark(ctx, muster.MarkDropped, note, l)
}

// mark writes what became of letters, durably.
func (d *DeadLetters) mark(ctx context.Context, kind muster.MarkKind, note string, letters ...Letter) error {
	if len(letters) == 0 {
		return nil
	}
	s := d.service
	marks := make([]muster.DeadLetterMark, len(letters))
	for i, l := range letters {
		marks[i] = muster.DeadLetterMark{
			Letter: l.At, Kind: kind, CommandID: l.Command.ID, AggregateID: l.Command.AggregateID, Time: s.clock.Now(), By: s.cfg.Name + "/" + s.name, Note: note,
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := s.sender.SendMarks(ctx, d.group, marks); err != nil {
		return err
	}
	s.metrics.marked.WithLabelValues(d.group.Name(), string(kind)).Add(float64(len(marks)))
	s.log.Info("dead letters marked", "group", d.group.Name(), "mark", string(kind), "letters", len(marks))
	return nil
}
