package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/projector"
)

// world is one run's brokers, contracts and services. Each group has a service of its own, because only a journal that is trimmed needs snapshots.
type world struct {
	cfg         *config
	brokers     []string
	out         io.Writer
	name        string
	all, latest *ledger
	view        *projector.View[account]

	raw    *kgo.Client
	admin  *kadm.Client
	keeper *running // owns all
	reader *running // owns latest, and has the view

	wanted   map[string]account // what the answers add up to, by group and account, once the load has ended
	answered int64
	trimmed  int // events removed by trims
}

func openWorld(cfg *config, brokers []string, out io.Writer) (*world, error) {
	name := "steady-" + strings.ToLower(rand.Text()[:8])
	raw, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, err
	}
	return &world{cfg: cfg, brokers: brokers, out: out, name: name, raw: raw, admin: kadm.NewClient(raw)}, nil
}

// compaction has the broker roll segments all the time and clean all but the last one at once. Values of a trimmed journal's tombstones go after a
// second; of a journal that keeps the latest, what was overwritten need not be older than that.
var compaction = map[string]string{
	"segment.ms": "3000", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.001", "delete.retention.ms": "1000",
	"min.compaction.lag.ms": "0", "max.compaction.lag.ms": "3000",
}

// open starts the service on an empty directory and has the journals compacted.
func (w *world) open(ctx context.Context) error {
	if err := w.start(ctx); err != nil {
		return err
	}
	return w.alter(ctx, compaction)
}

func (w *world) alter(ctx context.Context, settings map[string]string) error {
	var set []kadm.AlterConfig
	for name, value := range settings {
		set = append(set, kadm.AlterConfig{Name: name, Value: &value})
	}
	answers, err := w.admin.AlterTopicConfigs(ctx, set, w.all.group.JournalTopic(""), w.latest.group.JournalTopic(""))
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

// start runs both services with nothing on disk.
func (w *world) start(ctx context.Context) (err error) {
	w.all, w.latest = newLedger(w.name+"-all", muster.KeepAll), newLedger(w.name+"-latest", muster.KeepLatest)
	w.view = w.latest.balances()
	if w.keeper, err = start(ctx, w.all.group.Name(), w.brokers, 0, w.all.owner()); err != nil {
		return err
	}
	w.reader, err = start(ctx, w.latest.group.Name(), w.brokers, -1, w.latest.owner(), w.view)
	return err
}

// owner gives the service that owns a group.
func (w *world) owner(of *ledger) *running {
	if of == w.all {
		return w.keeper
	}
	return w.reader
}

// end stops what runs.
func (w *world) end() error {
	err := errors.Join(w.keeper.end(), w.reader.end())
	w.keeper, w.reader = nil, nil
	return err
}

// close ends what still runs and removes the topics. It is for the way out, where there is another error to tell, or none.
func (w *world) close(ctx context.Context) {
	_ = w.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	topics, err := w.admin.ListTopics(ctx)
	if err == nil {
		var own []string
		for _, name := range topics.Names() {
			if strings.Contains(name, w.name) {
				own = append(own, name)
			}
		}
		_, _ = w.admin.DeleteTopics(ctx, own...)
	}
	w.raw.Close()
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// until asks again and again until it is so, ctx ends, or it has taken minutes.
func until(ctx context.Context, what string, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 5*time.Minute, fmt.Errorf("still waiting after 5 minutes: %s", what))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		ok, err := holds()
		if ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
