//go:build linux

package main

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/history"
	"github.com/seed-3eec0498/muster/journal"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/projector/viewhttp"
	"github.com/seed-3eec0498/muster/service"
)

// dump is how everything is read when it has come to rest.
type dump struct {
	*ledgers
	brokers []string
	raw     *kgo.Client
	record  *history.Record
}

func newDump(l *ledgers, brokers []string, record *history.Record) (*dump, error) {
	raw, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	return &dump{ledgers: l, brokers: brokers, raw: raw, record: record}, err
}

// topics reads the journal, the commands, and up to where these are consumed. The lag is looked at until it is gone, or ctx ends.
func (d *dump) topics(ctx context.Context, lagless time.Duration) error {
	var err error
	if d.record.Journal, err = history.Read(ctx, kafka.Config{Brokers: d.brokers}, d.group); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, lagless)
	defer cancel()
	lag := int64(-1)
	_ = poll(waiting, func() bool { // what is left then is a violation, and told as such
		d.record.Consumed, lag, err = history.ReadConsumed(ctx, kadm.NewClient(d.raw), "", d.group)
		return err == nil && lag == 0
	})
	if err != nil {
		return err
	}
	d.record.End.Lag = map[string]int64{d.group.Name(): lag}
	d.record.Commands, err = history.ReadCommands(ctx, kafka.Config{Brokers: d.brokers}, d.group)
	return err
}

// letters reads the dead letters, and counts those left out: a command that is read too late is refused, and the same id, sent again by its caller,
// may well be carried out. That letter tells of one attempt, not of the command.
func (d *dump) letters(ctx context.Context, from *service.Service) (expired int, err error) {
	d.record.Letters = []muster.DeadLetter{}
	for l, err := range from.DeadLetters(d.group).All(ctx, service.LetterFilter{State: service.LetterAny}) {
		switch {
		case err != nil:
			return expired, fmt.Errorf("dump of the dead letters: %w", err)
		case l.Unreadable != nil:
			return expired, fmt.Errorf("dead letter at %v: %w", l.At, l.Unreadable)
		case l.Cause.Reason == muster.ReasonExpired:
			expired++
		default:
			d.record.Letters = append(d.record.Letters, l.DeadLetter)
		}
	}
	return expired, nil
}

// view reads all rows from an instance, when it has applied the journal to its end. The others hold some of the shards, and are asked by it.
func (d *dump) view(ctx context.Context, name, address string) error {
	client, err := viewhttp.NewClient(address, nil)
	if err != nil {
		return err
	}
	var ends []muster.Position
	for _, events := range d.record.Journal.Events {
		if len(events) > 0 {
			ends = append(ends, events[len(events)-1].Position())
		}
	}
	v := history.View{Name: viewName, Instance: name, Checkpoint: make([]int64, d.group.Partitions()), Rows: map[string]string{}}
	definition := d.ledgers.view()
	for token := ""; ; {
		page, err := definition.Scan(ctx, client, projector.AtLeast(ends...), projector.PageToken(token))
		if err != nil {
			return fmt.Errorf("dump of the view of %s: %w", name, err)
		}
		for _, row := range page.Rows {
			v.Rows[row.Key] = text(row.Value)
		}
		for _, at := range page.At {
			v.Checkpoint[at.Partition] = at.Offset + 1
		}
		if token = page.Token; token == "" {
			break
		}
	}
	d.record.Views = append(d.record.Views, v)
	return nil
}

// stored reads what an instance has stored of each partition it ever had. The instance must have ended.
func (d *dump) stored(ctx context.Context, i *instance) error {
	admin, err := kafka.OpenAdmin(ctx, kafka.Config{Brokers: d.brokers})
	if err != nil {
		return err
	}
	defer admin.Close()
	ids, err := admin.EnsureGroup(ctx, d.group, false)
	if err != nil {
		return err
	}
	store, err := journal.Open(journal.Config{Dir: filepath.Join(i.settings.Dir, "state")})
	if err != nil {
		return err
	}
	defer store.Close()
	states, err := store.Group(d.group, "", ids)
	if err != nil {
		return err
	}
	stored, err := history.ReadStored(i.settings.Name, states, d.group)
	d.record.Stored = append(d.record.Stored, stored...)
	return err
}
