package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/kafka"
)

// compared is what was found at rest.
type compared struct {
	Answered int64 `json:"answered"` // calls
	Trimmed  int   `json:"trimmed"`  // events of the journal that keeps all
	Written  int64 `json:"written"`  // events, of each kind of journal
	LeftAll  int   `json:"left_all"`
	Latest   int64 `json:"latest"`
	Left     int   `json:"left_latest"`
	States   int   `json:"states"` // that were made anew and are as before
	Rows     int   `json:"rows"`
}

// compare throws away what is local, makes it anew from the compacted journals, and holds it against what was there and what the callers know.
func (w *world) compare(ctx context.Context, r *report) error {
	if err := w.settled(ctx); err != nil {
		return err
	}
	before, err := w.states()
	if err != nil {
		return err
	}
	rows, err := w.rows(ctx)
	if err != nil {
		return err
	}
	c := &r.Compared
	c.Answered, c.Trimmed = w.answered, w.trimmed
	if err := w.leftOver(ctx, c); err != nil {
		return err
	}
	if err := w.end(); err != nil {
		return err
	}
	w.say("the load has ended: %d calls answered; %d of %d events are left of the journal that keeps all, %d of %d of the other", c.Answered, c.LeftAll, c.Written, c.Left, c.Latest)
	if err := w.alter(ctx, map[string]string{"min.compaction.lag.ms": weekOfMillis, "max.compaction.lag.ms": weekOfMillis}); err != nil { // as the toolkit wants it
		return err
	}
	if err := w.start(ctx); err != nil {
		return fmt.Errorf("made anew from the compacted journals: %w", err)
	}
	if err := w.settled(ctx); err != nil {
		return err
	}
	after, err := w.states()
	if err != nil {
		return err
	}
	again, err := w.rows(ctx)
	if err != nil {
		return err
	}
	c.States, c.Rows = len(after), len(again)
	return errors.Join(same("state", before, after), same("row", rows, again), w.end())
}

const weekOfMillis = "604800000"

// settled waits until the view has applied everything.
func (w *world) settled(ctx context.Context) error {
	ends, err := w.reader.JournalEnd(ctx, w.latest.group)
	if err != nil {
		return err
	}
	return until(ctx, "the view applies the journal", func() (bool, error) {
		for _, end := range ends {
			if err := w.reader.AwaitView(ctx, "balances", 0, end); err != nil {
				return false, err
			}
		}
		return true, errors.Join(w.keeper.Healthy(), w.reader.Healthy())
	})
}

// states gives what is stored of every account that was called, and fails where that is not what the callers know.
func (w *world) states() (map[string]string, error) {
	found := map[string]string{}
	for _, l := range []*ledger{w.all, w.latest} {
		owner := l.owner()
		for n := range w.cfg.accounts {
			name := accountName(n)
			key := l.group.Name() + "/" + name
			want, called := w.wanted[key]
			if !called {
				continue
			}
			stored, err := w.owner(l).PeekState(l.group, name)
			if err != nil {
				return nil, err
			}
			seen, err := owner.Peek(w.owner(l), name)
			if err != nil {
				return nil, err
			}
			if seen.State != want || seen.Revision != uint64(want.Entries) {
				return nil, fmt.Errorf("%s is stored with balance %d at revision %d; the answers add up to %d of %d", key, seen.State.Balance, seen.Revision, want.Balance, want.Entries)
			}
			found[key] = fmt.Sprintf("%d %s", stored.Revision, bytes.Clone(stored.Data))
		}
	}
	return found, nil
}

// rows gives those of the view, and fails where one is not what the callers know.
func (w *world) rows(ctx context.Context) (map[string]string, error) {
	found := map[string]string{}
	for n := range w.cfg.accounts {
		name := accountName(n)
		want, called := w.wanted[w.latest.group.Name()+"/"+name]
		if !called {
			continue
		}
		row, err := w.view.Get(ctx, w.reader.Views(), name)
		if err != nil {
			return nil, fmt.Errorf("row %s: %w", name, err)
		}
		if row != want {
			return nil, fmt.Errorf("row %s has balance %d of %d entries; the answers add up to %d of %d", name, row.Balance, row.Entries, want.Balance, want.Entries)
		}
		found[name] = fmt.Sprint(row)
	}
	return found, nil
}

// leftOver counts what compaction has left, and fails where it has removed nothing.
func (w *world) leftOver(ctx context.Context, c *compared) error {
	for _, l := range []*ledger{w.all, w.latest} {
		j, err := history.Read(ctx, kafka.Config{Brokers: w.brokers}, l.group)
		if err != nil {
			return err
		}
		written := int64(0)
		for n := range w.cfg.accounts {
			written += w.wanted[l.group.Name()+"/"+accountName(n)].Entries
		}
		if l == w.all {
			c.Written, c.LeftAll = written, j.Len()
		} else {
			c.Latest, c.Left = written, j.Len()
		}
		if int64(j.Len()) >= written {
			return fmt.Errorf("all %d events of %s are there still: the broker compacted nothing, so this run shows nothing; run it for longer", written, l.group.Name())
		}
	}
	return nil
}

func same(what string, before, after map[string]string) error {
	var faults []error
	for key, value := range before {
		if after[key] != value {
			faults = append(faults, fmt.Errorf("%s %s was %s and is %q when it is made anew", what, key, value, after[key]))
		}
	}
	if len(after) != len(before) {
		faults = append(faults, muster.Errorf(muster.Internal, "there were %d of %s, and are %d anew", len(before), what, len(after)))
	}
	return errors.Join(faults[:min(len(faults), 10)]...)
}
