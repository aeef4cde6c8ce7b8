package service

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

// ReplayVerdict says what came of replaying one dead letter.
type ReplayVerdict string

// What can come of a replay. The first three settle the letter; after the others it is still open.
const (
	ReplayDone    ReplayVerdict = "done"    // it succeeded, now or, as a repeat, before
	ReplayRefused ReplayVerdict = "refused" // the business refused it: an answer, and no fault
	ReplayFailed  ReplayVerdict = "failed"  // it could not be processed again; there is a newer letter
	ReplayUnknown ReplayVerdict = "unknown" // no answer, or no mark, in time; replay it again, the id makes it one command
	ReplayUnfit   ReplayVerdict = "unfit"   // it was not sent: this build cannot decode it, or it never was a valid command
	ReplayHeld    ReplayVerdict = "held"    // it was not sent: an earlier letter of its aggregate is not settled
)

// ReplayResult is what came of one letter. Err is nil only for ReplayDone.
type ReplayResult struct {
	Letter  Letter
	Verdict ReplayVerdict
	Outcome *muster.Outcome // the answer, where there was one
	Err     error
}

// ReplayOptions change a replay. The zero value is the careful one.
type ReplayOptions struct {
	// Each hears of every letter when its replay has ended, one at a time. Nil means that only the counts are wanted.
	Each func(ReplayResult)
	// Unchecked sends commands that the contract of this build does not declare, such as those of an untyped handler, without having
	// decoded them. A command that is declared is decoded all the same.
	Unchecked bool
	// Timeout bounds the wait for one answer. Zero means a minute. No answer ends the replay: the owner is down, or far behind.
	Timeout time.Duration
	// OutOfOrder does not hold a letter back because an earlier one of its aggregate is still open.
	OutOfOrder bool
}

// ReplayReport counts what came of the letters.
type ReplayReport map[ReplayVerdict]int

// replayers is how many partitions are replayed side by side.
const replayers = 4

// Replay sends the open letters that fit again, each with its command id, payload and headers, without its deadline and reply-to, and waits for
// its answer. The letters of one aggregate go one after another in their order: when one is not settled, or is open and does not fit the
// filter, the later ones are held. So after a fix, Replay with the zero filter, or with the reason that was mended.
//
// Each letter is decoded first; what still cannot be decoded is not sent. Dead letters are not remembered as answers, so the same id is
// executed now. When this process dies between the answer and the mark the letter stays open, and replaying it once more gets the stored
// answer, as long as the id is within the owner's dedup window: one effect. A letter whose command was repeated by its sender and succeeded
// meanwhile gets that answer, too.
//
// The error is that of ctx, of reading, or of the letter without an answer that ended the replay; the report holds what was done until then. [Service.Run] must be running, and the owner too.
func (d *DeadLetters) Replay(ctx context.Context, filter LetterFilter, options ReplayOptions) (ReplayReport, error) {
	if filter.State != "" && filter.State != LetterOpen {
		return nil, fmt.Errorf("dead letters of %s: only open letters are replayed, not %s ones", d.group.Name(), filter.State)
	}
	ranges, err := d.refresh(ctx)
	if err != nil {
		return nil, err
	}
	r := &replay{letters: d, filter: filter, options: options, report: ReplayReport{}}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	room := make(chan struct{}, replayers)
	var partitions sync.WaitGroup
	for p, held := range ranges {
		if held.From == held.To {
			continue
		}
		partitions.Go(func() {
			room <- struct{}{}
			defer func() { <-room }()
			behind := map[string]muster.Position{}
			err := d.walkPartition(ctx, p, held.From, held.To, func(l Letter) error { return r.letter(ctx, l, behind) })
			if err != nil {
				stop(err)
			}
		})
	}
	partitions.Wait()
	return r.report, context.Cause(ctx)
}

// replay is one Replay under way.
type replay struct {
	letters *DeadLetters
	filter  LetterFilter
	options ReplayOptions

	mu     sync.Mutex // guards report, and is held while Each runs
	report ReplayReport
}

// letter replays one letter of a partition, when it is one to replay. behind has, per aggregate, the first letter that is not settled.
func (r *replay) letter(ctx context.Context, l Letter, behind map[string]muster.Position) error {
	if l.State != LetterOpen {
		return nil
	}
	id := l.Command.AggregateID
	first, waits := behind[id]
	result := ReplayResult{Letter: l}
	switch {
	case !r.filter.fits(&l):
		if !waits && !r.options.OutOfOrder {
			behind[id] = l.At
		}
		return nil
	case waits && !r.options.OutOfOrder:
		result.Verdict = ReplayHeld
		result.Err = muster.Errorf(muster.FailedPrecondition, "the letter at %v of the same aggregate is earlier and not settled; replay or drop it first", first)
	default:
		r.send(ctx, &result)
	}
	if result.Verdict != ReplayDone && result.Verdict != ReplayRefused && !waits {
		behind[id] = l.At
	}
	r.tell(result)
	if result.Verdict == ReplayUnknown {
		return fmt.Errorf("replay of the letter at %v: %w", l.At, result.Err)
	}
	return ctx.Err()
}

func (r *replay) tell(result ReplayResult) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report[result.Verdict]++
	if r.options.Each != nil {
		r.options.Each(result)
	}
}

// send checks, calls and marks.
func (r *replay) send(ctx context.Context, result *ReplayResult) {
	d, l := r.letters, &result.Letter
	if result.Err = r.unfit(l); result.Err != nil {
		result.Verdict = ReplayUnfit
		return
	}
	result.Verdict = ReplayUnknown
	original := l.Command
	if err := muster.OpenLetter(d.service.cfg.codec(), &original); err != nil {
		result.Verdict, result.Err = ReplayUnfit, err
		return
	}
	cmd := muster.Command{Meta: original.Meta, Payload: original.Payload, Expected: original.Expected, ReplayOf: l.At}
	bounded, cancel := context.WithTimeout(ctx, orDefault(r.options.Timeout, time.Minute))
	defer cancel()
	if result.Outcome, result.Err = d.service.client.Call(bounded, d.group, &cmd); result.Err != nil {
		return
	}
	d.service.cfg.failpoint("replayed")
	note := result.Outcome.Code.String()
	if result.Err = result.Outcome.Err(); result.Err != nil {
		if err := d.catchUp(ctx, kafka.Partition(cmd.AggregateID, d.group.Partitions())); err != nil {
			result.Err = errors.Join(result.Err, err)
			return
		}
		if _, again := d.index.mark(l.At); again {
			result.Verdict = ReplayFailed
			d.service.metrics.marked.WithLabelValues(d.group.Name(), string(muster.MarkReplayed)).Inc()
			return
		}
	} else {
		note = fmt.Sprintf("OK at revision %d", result.Outcome.Revision)
	}
	if err := d.mark(ctx, muster.MarkReplayed, note, *l); err != nil {
		result.Err = err
		return
	}
	result.Verdict = ReplayDone
	if result.Err != nil {
		result.Verdict = ReplayRefused
	}
}

// neverValid are the reasons of records that were no commands in the first place, so there is nothing to send again.
var neverValid = map[string]bool{
	muster.ReasonBadID: true, muster.ReasonBadType: true, muster.ReasonBadRecord: true, muster.ReasonNullValue: true,
}

// unfit says why a letter cannot be sent, nil when it can.
func (r *replay) unfit(l *Letter) error {
	switch {
	case l.Unreadable == nil && neverValid[l.Cause.Reason]:
		return muster.Errorf(muster.InvalidArgument, "the record at %v was no valid command (%s); drop the letter and have a valid one sent", l.Command.Position(), l.Cause.Reason)
	case omits(l.Omitted, "headers="):
		return muster.Errorf(muster.DataLoss, "headers did not fit into the letter (%s); drop it and send the command anew", l.Omitted)
	}
	_, err := r.letters.Decode(*l)
	if r.options.Unchecked && muster.ReasonOf(err) == muster.ReasonUnknownType {
		return muster.CheckCommand(&l.Command)
	}
	if err != nil {
		return err
	}
	return muster.CheckCommand(&l.Command)
}
