package sim

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// dump writes down what is there at rest: journal, commands, offsets, letters and view, and, once the processes have been stopped, what is on
// their disks and on those that crashes have left.
func (w *world) dump(ctx context.Context) (*history.Record, error) {
	r := &history.Record{Calls: w.log.Calls(), Queries: w.log.Queries()}
	var err error
	if r.Journal, err = history.Read(ctx, kafka.Config{Brokers: w.brokers}, w.ledger.group); err != nil {
		return nil, err
	}
	if r.Commands, err = history.ReadCommands(ctx, kafka.Config{Brokers: w.brokers}, w.ledger.group); err != nil {
		return nil, err
	}
	if r.Consumed, _, err = history.ReadConsumed(ctx, kadm.NewClient(w.raw), "", w.ledger.group); err != nil {
		return nil, err
	}
	if l := w.process(callerName(0)).current(); l != nil {
		if r.Letters, err = letters(ctx, l.DeadLetters(w.ledger.group)); err != nil {
			return nil, err
		}
	}
	if r.Views, err = w.views(ctx); err != nil {
		return nil, err
	}
	if Sealed(w.settings.Seed) {
		limited, cancel := context.WithTimeout(ctx, w.settings.Within)
		defer cancel()
		if err := w.recall(limited, r.Journal); err != nil {
			return nil, err
		}
	}
	w.end()
	for _, p := range w.processes {
		if p.service == ownersName && p.name != newcomer {
			w.keep(p, p.disk.memory, false)
		}
	}
	for _, e := range w.evidence {
		stored, err := w.stored(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.process, err)
		}
		r.Stored = append(r.Stored, stored...)
	}
	if Sealed(w.settings.Seed) {
		if err := w.personal(ctx, r); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// personal dumps what tells of people: what can be opened of it, and everything in which nothing may lie in clear.
func (w *world) personal(ctx context.Context, r *history.Record) (err error) {
	if err := w.read(ctx, r); err != nil {
		return err
	}
	w.judge(r)
	settle(r)
	r.Erasures = w.erasures.final(w.answers.wrote)
	r.Secrets = []string{marker}
	r.Places, err = w.places(ctx)
	return err
}

// letters gives the dead letters, but for those of a sending that came too late: they tell of that one, and another with the same id may have taken
// effect since.
func letters(ctx context.Context, from *service.DeadLetters) (all []muster.DeadLetter, err error) {
	for l, err := range from.All(ctx, service.LetterFilter{}) {
		switch {
		case err != nil:
			return nil, err
		case l.Unreadable != nil:
			return nil, l.Unreadable
		case !errors.Is(&l.Cause, muster.ErrExpired):
			all = append(all, l.DeadLetter)
		}
	}
	return all, nil
}

// views reads the view, as soon as all of it is here: shards may be on their way.
func (w *world) views(ctx context.Context) ([]history.View, error) {
	ctx, cancel := context.WithTimeout(ctx, w.settings.Within)
	defer cancel()
	var v history.View
	err := persist(ctx, func() (err error) {
		l := w.process(projection).current()
		if l == nil {
			return errDown
		}
		v, err = w.view(ctx, l)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("the view cannot be read: %w", err)
	}
	return []history.View{v}, nil
}

// view reads all rows of the view and how far they are.
func (w *world) view(ctx context.Context, l *life) (history.View, error) {
	v := history.View{Name: viewName, Instance: projection, Checkpoint: make([]int64, partitions), Rows: map[string]string{}}
	for r, err := range w.ledger.view.All(ctx, l.LocalViews()) {
		if err != nil {
			return v, err
		}
		v.Rows[r.Key] = fmt.Sprintf("%+v", r.Value)
	}
	for _, status := range l.Projections() {
		for _, c := range status.Checkpoint {
			v.Checkpoint[c.Source.Partition] = max(v.Checkpoint[c.Source.Partition], c.Next)
		}
	}
	return v, nil
}

// stored reads the store of an owner.
func (w *world) stored(e evidence) (all []history.Stored, err error) {
	store, err := journal.Open(journal.Config{Dir: w.stateDir(e), FS: e.files})
	if err != nil {
		return nil, err
	}
	defer func() {
		if closed := store.Close(); err == nil {
			err = closed
		}
	}()
	if rebuilt, was := store.Rebuilt(); was {
		return nil, fmt.Errorf("the store was given up: %+v", rebuilt)
	}
	group, err := store.Group(w.ledger.group, "", nil)
	if err != nil {
		return nil, err
	}
	if all, err = history.ReadStored(e.name, group, w.ledger.group); err != nil {
		return nil, err
	}
	w.noted[e.name] = map[int32][]string{}
	for i := range all {
		if w.noted[e.name][all[i].Partition], err = group.Erased(all[i].Partition); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (w *world) stateDir(e evidence) string {
	return filepath.Join(w.process(e.process).dir(), "state")
}
