//go:build unix

package service_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// public publishes each credit, and calls the webhook where there is one.
func (b *bank) public(topic string) *projector.Publisher {
	pub := projector.NewPublisher("public", projector.To(topic, 3))
	projector.On(pub, b.credited, func(ctx context.Context, out *projector.Outbox, e credited, m muster.Meta) error {
		return out.Publish(ctx, topic, muster.CloudEvent{Type: "account.credited.v1"}, struct{ Revision, Amount int64 }{int64(m.Revision), e.Amount})
	})
	return pub
}

func (b *bank) called(url string) *projector.Effects {
	fx := projector.NewEffects("called")
	projector.On(fx, b.credited, func(ctx context.Context, fx projector.Effect, _ credited, m muster.Meta) error {
		body := fmt.Sprintf("%s/%d", m.AggregateID, m.Revision)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Idempotency-Key", fx.Key())
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return projector.ToWait(err)
		}
		return resp.Body.Close()
	})
	return fx
}

// Workers join and leave while an owner writes. What a committed reader sees in the public topic is the journal's function: each event once, in
// order per account; the webhook was called for each, and in order.
func TestPublisherAndEffectsWhileInstancesComeAndGo(t *testing.T) {
	const accounts, rounds = 6, 12
	brokers := anyBrokers(t)
	b := newBank(t, muster.Partitions(4))
	topic, hook := b.group.Name()+".public", newWebhook(t)
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	name := kafkatest.UniqueName(t, "workers")
	worker := func(instance string) *running {
		return start(t, service.Config{Name: name, Instance: instance, Brokers: brokers, SessionTimeout: session}, b.public(topic), b.called(hook.url))
	}
	var last sync.Map // positions of the last events, by account
	deposits := func() {
		for range rounds / 3 {
			for i := range accounts {
				id := fmt.Sprintf("acc-%d", i)
				_, at, err := callFor(t, owner, b, id, 1)
				if err != nil {
					t.Error(err)
					return
				}
				last.Store(id, at)
			}
		}
	}
	one := worker("one")
	var load sync.WaitGroup
	load.Go(deposits)
	two := worker("two") // takes some of the partitions over
	load.Wait()
	load.Go(deposits)
	one.end()
	load.Wait()
	deposits()
	last.Range(func(_, at any) bool {
		for _, projection := range []string{"public", "called"} {
			if err := two.AwaitView(bounded(t), projection, 1, at.(muster.Position)); err != nil {
				t.Fatal(err)
			}
		}
		return true
	})

	want := map[string][]string{}
	for i := range accounts {
		for n := range rounds {
			want[fmt.Sprintf("acc-%d", i)] = append(want[fmt.Sprintf("acc-%d", i)], fmt.Sprintf(`{"Revision":%d,"Amount":1}`, n+1))
		}
	}
	got := map[string][]string{}
	for _, r := range committedRecords(t, brokers, topic) {
		e, err := kafka.DecodeCloudEvent(r)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Key] = append(got[e.Key], string(e.Payload))
	}
	if !maps.EqualFunc(want, got, slices.Equal) {
		t.Errorf("published %v", got)
	}
	hook.mu.Lock()
	defer hook.mu.Unlock()
	keys, calls := map[string]bool{}, map[string][]string{}
	for _, c := range hook.calls {
		if !keys[c.key] {
			keys[c.key] = true
			account, revision, _ := strings.Cut(c.body, "/")
			calls[account] = append(calls[account], fmt.Sprintf(`{"Revision":%s,"Amount":1}`, revision))
		}
	}
	if !maps.EqualFunc(want, calls, slices.Equal) {
		t.Errorf("without repeats, the webhook was called for %v", calls)
	}
	t.Logf("%d calls for %d events", len(hook.calls), accounts*rounds)
}
