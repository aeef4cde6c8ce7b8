package service

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// DeadLetters lists the commands of a group that could not be processed, and has them sent again or dropped. Any service with the right to
// read and write the dead letter topic, and to send commands, may do so; it need not own the group. What is done about a letter is written
// behind it as a mark, so every process sees the same. The value keeps the marks it has read: keep it for further calls. It is safe for
// concurrent use. Make it with [Service.DeadLetters].
type DeadLetters struct {
	service *Service
	group   *muster.Group
	from    consumer.JournalConfig
	topic   string
	index   letterIndex
}

// DeadLetters gives the dead letters of a group.
func (s *Service) DeadLetters(g *muster.Group) *DeadLetters {
	return &DeadLetters{
		service: s, group: g, from: consumer.JournalConfig{Kafka: s.cfg.connection(), Group: g, Logger: s.log}, topic: g.DeadLetterTopic(s.cfg.Prefix),
		index: letterIndex{marks: map[place]muster.DeadLetterMark{}, next: map[int32]int64{}},
	}
}

// LetterPage is a part of a list of dead letters.
type LetterPage struct {
	Letters []Letter
	// Next is where the list goes on; give it to the next List. It is zero at the end.
	Next muster.Position
}

const (
	defaultPage  = 100
	maxPage      = 1000
	maxPageBytes = 16 << 20 // of payloads, after which a page is full, too
)

var errPageFull = errors.New("the page is full")

// List gives the letters that fit, partition by partition and in each the oldest first, behind a position: the zero one for the first page,
// then [LetterPage.Next]. Pages are stable: letters that come later come later in the list. Limit is 1 to 1,000, zero means 100; a page with
// large payloads may have fewer.
func (d *DeadLetters) List(ctx context.Context, filter LetterFilter, after muster.Position, limit int) (LetterPage, error) {
	if limit < 0 || limit > maxPage {
		return LetterPage{}, fmt.Errorf("dead letters of %s: a page of %d; choose 1 to %d, or 0 for %d", d.group.Name(), limit, maxPage, defaultPage)
	}
	limit = orDefault(limit, defaultPage)
	var page LetterPage
	size := 0
	err := d.walk(ctx, after, func(l Letter) error {
		if !filter.fits(&l) {
			return nil
		}
		if len(page.Letters) == limit || size > maxPageBytes {
			page.Next = page.Letters[len(page.Letters)-1].At
			return errPageFull
		}
		page.Letters, size = append(page.Letters, l), size+len(l.Command.Payload)
		return nil
	})
	if errors.Is(err, errPageFull) {
		err = nil
	}
	return page, err
}

// All gives every letter that fits, in the order of [DeadLetters.List].
func (d *DeadLetters) All(ctx context.Context, filter LetterFilter) iter.Seq2[Letter, error] {
	return func(yield func(Letter, error) bool) {
		err := d.walk(ctx, muster.Position{}, func(l Letter) error {
			if filter.fits(&l) && !yield(l, nil) {
				return errEnough
			}
			return nil
		})
		if err != nil && !errors.Is(err, errEnough) {
			yield(Letter{}, err)
		}
	}
}

// Get gives the letter at a position. It is a NotFound error when there is none, or none any more.
func (d *DeadLetters) Get(ctx context.Context, at muster.Position) (Letter, error) {
	if at.Topic != d.topic || at.Partition < 0 || at.Partition >= d.group.Partitions() || at.Offset < 0 {
		return Letter{}, muster.Errorf(muster.InvalidArgument, "%v is no place in %s", at, d.topic)
	}
	ranges, err := d.refresh(ctx)
	if err != nil {
		return Letter{}, err
	}
	var found *Letter
	if held := ranges[at.Partition]; at.Offset >= held.From && at.Offset < held.To {
		_, err = consumer.ReadDeadLetters(ctx, d.from, at.Partition, at.Offset, at.Offset+1, func(r consumer.DeadRecord) error {
			if l, is := d.letter(r); is {
				found = &l
			}
			return nil
		})
	}
	switch {
	case err != nil && !errors.Is(err, consumer.ErrDataLoss):
		return Letter{}, err
	case found == nil:
		return Letter{}, muster.Errorf(muster.NotFound, "there is no dead letter at %v; retention may have deleted it", at)
	}
	return *found, nil
}

// Decode reads the payload of a letter's command with the contract of this build, or says why that still cannot be done.
func (d *DeadLetters) Decode(l Letter) (any, error) {
	switch {
	case l.Unreadable != nil:
		return nil, l.Unreadable
	case omits(l.Omitted, "value="):
		return nil, muster.Errorf(muster.DataLoss, "the payload did not fit into the letter (%s); the original lay at %v", l.Omitted, l.Command.Position())
	case l.Command.Payload == nil:
		return nil, muster.Errorf(muster.InvalidArgument, "the command had a null value, which none can have")
	}
	if err := muster.OpenLetter(d.service.cfg.codec(), &l.Command); err != nil {
		return nil, err
	}
	return d.group.DecodeCommand(d.service.cfg.codec(), &l.Command)
}

// walk gives every letter behind a position with its state, partition by partition.
func (d *DeadLetters) walk(ctx context.Context, after muster.Position, fn func(Letter) error) error {
	if after.Topic != "" && after.Topic != d.topic {
		return muster.Errorf(muster.InvalidArgument, "%v is no place in %s; give the position a page told", after, d.topic)
	}
	ranges, err := d.refresh(ctx)
	if err != nil {
		return err
	}
	for _, p := range slices.Sorted(maps.Keys(ranges)) {
		from := ranges[p].From
		switch {
		case after.Topic != "" && p < after.Partition:
			continue
		case after.Topic != "" && p == after.Partition:
			from = max(from, after.Offset+1)
		}
		if err := d.walkPartition(ctx, p, from, ranges[p].To, fn); err != nil {
			return err
		}
	}
	return nil
}

func (d *DeadLetters) walkPartition(ctx context.Context, p int32, from, to int64, fn func(Letter) error) error {
	return d.read(ctx, p, from, to, func(r consumer.DeadRecord) error {
		if l, is := d.letter(r); is {
			return fn(l)
		}
		return nil
	})
}

// read reads a stretch, and goes on behind what retention deletes meanwhile.
func (d *DeadLetters) read(ctx context.Context, p int32, from, to int64, fn func(consumer.DeadRecord) error) error {
	for {
		next, err := consumer.ReadDeadLetters(ctx, d.from, p, from, to, fn)
		if !errors.Is(err, consumer.ErrDataLoss) {
			return err
		}
		ranges, rangeErr := consumer.DeadLetterRanges(ctx, d.from)
		if rangeErr != nil {
			return rangeErr
		}
		if from = ranges[p].From; from <= next { // nothing was deleted, so it is something else
			return err
		}
	}
}

// letter makes a letter of a record, with its state; marks are none.
func (d *DeadLetters) letter(r consumer.DeadRecord) (Letter, bool) {
	if r.Mark != nil {
		return Letter{}, false
	}
	l := Letter{DeadLetter: r.Letter, At: r.At, State: LetterOpen, Omitted: r.Omitted, Unreadable: r.Fault}
	if mark, marked := d.index.mark(r.At); marked {
		l.Mark, l.State = &mark, LetterReplayed
		if mark.Kind == muster.MarkDropped {
			l.State = LetterDropped
		}
	}
	return l, true
}
