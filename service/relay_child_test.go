//go:build unix

package service_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// relayConfig is what a relay is told. Its journal is the numbers 0 to Events-1; its function publishes each of them, under the key of the
// number modulo 3, and calls the webhook where there is one. It talks as owners do, see [childConfig]: "at POINT", and at the end "done" or "fenced".
type relayConfig struct {
	Brokers        []string
	Service, Topic string
	Events         int
	Webhook        string
	Point          string // pointFunction, or one of a scribe
	Hit            int64
}

// pointFunction is behind a run of the function.
const pointFunction = "function"

var relayShard = projector.Shard{
	Projection: "relay@1", Name: "relay", Version: 1, Sources: []projector.Source{{Topic: "numbers.events"}},
}

func (c *relayConfig) work(ctx context.Context, lines <-chan struct{}) error {
	var hits atomic.Int64
	pass := func(point string) {
		if point == c.Point && hits.Add(1) == c.Hit {
			fmt.Println("at", point)
			<-lines
		}
	}
	err := relayAll(ctx, *c, pass)
	switch {
	case errors.Is(err, projector.ErrFenced), errors.Is(err, muster.ErrUnknown): // either way a runner would claim anew, and read
		fmt.Println("fenced")
	case err != nil:
		return err
	default:
		fmt.Println("done")
	}
	<-ctx.Done()
	return nil
}

func relayAll(ctx context.Context, c relayConfig, pass func(string)) error {
	pub := projector.NewPublisher("relay", projector.To(c.Topic, 2))
	fx := projector.NewEffects("relay")
	target, err := service.OpenOutward(ctx, service.OutwardConfig{
		Kafka: connection(c.Brokers), Service: c.Service, Create: true, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Ledger: func(l *producer.LedgerConfig) { l.Failpoint, l.TransactionTimeout = pass, time.Minute }, // who waits for it, fails
	}, pub.Definition())
	if err != nil {
		return err
	}
	defer target.Close()
	h, err := target.Claim(ctx, relayShard)
	if err != nil {
		return err
	}
	defer h.Release()
	stored, err := h.Stored(ctx)
	if err != nil {
		return err
	}
	next := 0
	for _, at := range stored.Checkpoints {
		next = int(at.Next)
	}
	for next < c.Events {
		batch, err := h.Begin(ctx)
		if err != nil {
			return err
		}
		end := min(next+3, c.Events)
		for ; next < end; next++ {
			batch.Before(&projector.Running{Shard: relayShard, ID: "relay/" + strconv.Itoa(next)})
			if c.Webhook != "" {
				if err := call(ctx, c.Webhook, fx.Hand(batch.Tx()).Key(), next); err != nil {
					return err
				}
			}
			event := muster.CloudEvent{Source: "numbers", Type: "number", Subject: strconv.Itoa(next % 3)}
			if err := pub.Hand(batch.Tx()).Publish(ctx, c.Topic, event, next); err != nil {
				return err
			}
			pass(pointFunction)
		}
		change := projector.Change{Checkpoints: []projector.Checkpoint{{Source: relayShard.Sources[0], Next: int64(next), LastAt: int64(next) - 1}}}
		if err := batch.Commit(ctx, change); err != nil {
			return err
		}
	}
	return nil
}

// call does what a function of effects would.
func call(ctx context.Context, url, key string, n int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(strconv.Itoa(n)))
	if err != nil {
		return err
	}
	req.Header.Set("Idempotency-Key", key)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the webhook answered %s", resp.Status)
	}
	return nil
}
