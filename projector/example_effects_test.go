package projector_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
)

var (
	bankGroup     = muster.NewGroup("accounts", muster.Partitions(1))
	accountOpened = muster.NewEvent[Opened](bankGroup, "bank.Opened")
	bankJournal   = projector.Source{Topic: "accounts.events"}
)

// Opened is an event of these examples.
type Opened struct {
	Owner string `json:"owner"`
}

// runOver runs a projection over a journal in memory until it has applied everything up to pos. A service does this with service.Open.
func runOver(j *mustertest.MemoryJournal, target projector.Target, d *projector.Definition, pos muster.Position) error {
	runner, err := projector.Open(projector.Config{Definition: d, Target: target, Journal: j})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- runner.Run(ctx) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	err = runner.Await(ctx, pos)
	for moved := new(projector.NotHeldError); errors.As(err, &moved); err = runner.Await(ctx, pos) { // it takes its shards in a moment
		<-tick.C
	}
	stop()
	if ended := <-ended; ended != nil {
		return ended
	}
	return err
}

// A webhook is called for each event. The other side knows a repeat by its key: here the commit behind the call fails.
func ExampleNewEffects() {
	known := map[string]bool{}
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if key := r.Header.Get("Idempotency-Key"); known[key] {
			fmt.Println("again, and passed over:", string(body))
		} else {
			known[key] = true
			fmt.Println("welcome,", string(body))
		}
	}))
	defer hook.Close()

	welcome := projector.NewEffects("welcome")
	projector.On(welcome, accountOpened, func(ctx context.Context, fx projector.Effect, e Opened, _ muster.Meta) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, hook.URL, strings.NewReader(e.Owner))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", fx.Key())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return projector.ToWait(err) // it is down; nothing is wrong with the event
		}
		return resp.Body.Close()
	})

	j, target := mustertest.NewMemoryJournal(), mustertest.NewMemoryTarget()
	pos := j.Append(bankJournal, mustertest.NewEvent(accountOpened, "acc-1", Opened{"Ada"}))
	failed := false
	target.Intercept(func(step string, _ projector.Shard) error { // as a broker that is away when the call has been made
		if step == "commit" && len(known) > 0 && !failed {
			failed = true
			return errors.New("away")
		}
		return nil
	})
	if err := runOver(j, target, welcome.Definition(), pos); err != nil {
		fmt.Println(err)
	}
	// Output:
	// welcome, Ada
	// again, and passed over: Ada
}

// Private events become public ones, with a contract of their own, and under another key.
func ExampleNewPublisher() {
	public := projector.NewPublisher("public-accounts", projector.To("accounts.public", 12))
	projector.On(public, accountOpened, func(ctx context.Context, out *projector.Outbox, e Opened, m muster.Meta) error {
		event := muster.CloudEvent{Type: "account.opened.v1", Key: e.Owner}
		return out.Publish(ctx, "accounts.public", event, struct {
			Account string `json:"account"`
		}{m.AggregateID})
	})

	j, target := mustertest.NewMemoryJournal(), mustertest.NewMemoryTarget()
	pos := j.Append(bankJournal, mustertest.NewEvent(accountOpened, "acc-1", Opened{"Ada"}))
	if err := runOver(j, target, public.Definition(), pos); err != nil {
		fmt.Println(err)
	}
	for _, p := range target.Published(public.Definition().Shards("")[0]) {
		fmt.Println(p.Topic, p.Event.Type, "of", p.Event.Subject, "under", p.Event.Key, string(p.Event.Payload))
	}
	// Output:
	// accounts.public account.opened.v1 of acc-1 under Ada {"account":"acc-1"}
}
