package projector

import (
	"time"
)

// alone handles an event that failed in a batch: it is tried by itself, by its policy, and in the end put aside, or the shard stops.
func (w *worker) alone(it *Item, f *failure) error {
	at := it.Event.Position().String()
	for try, waits := 1, 0; ; {
		w.failed(it, f.reason, try)
		p := w.d.policy(f.reason)
		then, pause := p.Then, time.Duration(0)
		v := verdictOf(f.err)
		switch {
		case v != nil && v.wait:
			waits++
			pause = backoff(p.First, p.Top, waits)
		case v != nil:
			then = v.then
		case try < p.Tries:
			pause = backoff(p.First, p.Top, try)
			try++
		}
		if pause == 0 {
			return w.giveUpOn(it, f, then, try)
		}
		w.held.progress.enter(Retrying, f.reason, f.err, at)
		if err := w.pauseFor(pause); err != nil {
			return err
		}
		_, again, err := w.attempt([]Item{*it}, try)
		if err != nil {
			return err
		}
		if again == nil {
			w.held.progress.reading()
			return nil
		}
		f = again
	}
}

// giveUpOn ends the trial of an event.
func (w *worker) giveUpOn(it *Item, f *failure, then Outcome, tries int) error {
	if then == Stop || then == Park && it.Bad != nil {
		return &stopped{reason: f.reason, at: it.Event.Position(), typ: it.Event.Type, err: f.err}
	}
	w.stage.reset()
	w.stage.began = w.r.config.Now()
	batch, _, err := w.begin()
	if err != nil {
		return err
	}
	w.step(it)
	if err := w.putAside(it, kindOf(then), f.reason, f.err, tries); err != nil {
		batch.Rollback()
		return err
	}
	w.checkpoints()
	if err := w.commit(batch, &w.stage.change); err != nil {
		return err
	}
	w.held.progress.reading()
	return nil
}

// pauseFor waits before another try, unless there is something to see to first.
func (w *worker) pauseFor(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	for {
		ctx := w.intake.context()
		if w.news() {
			return errNews
		}
		if err := w.answer(); err != nil {
			return err
		}
		select {
		case <-timer.C:
			return nil
		case <-ctx.Done(): // perhaps for something else
		case <-w.held.leave:
		}
	}
}
