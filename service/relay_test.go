//go:build unix

package service_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

func relayPoints() []string {
	return []string{pointFunction, producer.PointAfterFirstProduce, producer.PointAfterProduce, producer.PointAfterEnd}
}

func launchRelay(t *testing.T, name string, c relayConfig) *process {
	t.Helper()
	return spawnAs(t, "MUSTER_TEST_RELAY", name, c)
}

// webhook notes the calls it gets.
type webhook struct {
	mu    sync.Mutex // guards calls; every request adds
	calls []hooked
	url   string
}

type hooked struct{ key, body string }

func newWebhook(t *testing.T) *webhook {
	t.Helper()
	w := &webhook{}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // a caller that was killed
		w.mu.Lock()
		defer w.mu.Unlock()
		w.calls = append(w.calls, hooked{r.Header.Get("Idempotency-Key"), string(body)})
	}))
	t.Cleanup(server.Close)
	w.url = server.URL
	return w
}

// check holds the calls against the journal: each number at least once and with one key of its own; without the repeats, in order.
func (w *webhook) check(t *testing.T, events int) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	keys, first := map[string]string{}, []string{}
	for _, c := range w.calls {
		if before, known := keys[c.key]; !known {
			keys[c.key] = c.body
			first = append(first, c.body)
		} else if before != c.body {
			t.Errorf("key %s stands for %s and for %s", c.key, before, c.body)
		}
	}
	if !slices.Equal(first, numbers(events)) {
		t.Errorf("without repeats, the webhook was called for %v", first)
	}
}

func numbers(n int) (all []string) {
	for i := range n {
		all = append(all, strconv.Itoa(i))
	}
	return all
}

// checkRelayed holds what a committed reader sees against the journal: each number once, in order per key.
func checkRelayed(t *testing.T, brokers []string, topic string, events int) {
	t.Helper()
	seen, perKey := map[string]int{}, map[string]int{}
	for _, r := range committedRecords(t, brokers, topic) {
		e, err := kafka.DecodeCloudEvent(r)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(string(e.Payload))
		if err != nil {
			t.Fatal(err)
		}
		seen[e.ID]++
		if last, known := perKey[e.Key]; known && n <= last || e.Key != strconv.Itoa(n%3) {
			t.Errorf("key %s: %d behind %d", e.Key, n, last)
		}
		perKey[e.Key] = n
	}
	for i := range events {
		if id := "relay/" + strconv.Itoa(i); seen[id] != 1 {
			t.Errorf("%s was published %d times", id, seen[id])
		}
		delete(seen, "relay/"+strconv.Itoa(i))
	}
	if len(seen) > 0 {
		t.Errorf("published besides: %v", seen)
	}
}

// A process dies by kill -9 at each point between its function and the end of its transaction, and another one takes over at once.
func TestRelayKilled(t *testing.T) {
	brokers := anyBrokers(t)
	for _, point := range relayPoints() {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			hook := newWebhook(t)
			name := kafkatest.UniqueName(t, "relay")
			c := relayConfig{Brokers: brokers, Service: name, Topic: name + ".public", Events: 30, Webhook: hook.url, Point: point, Hit: 5}
			for round := range 2 { // the heir dies, too
				p := launchRelay(t, "relay "+strconv.Itoa(round), c)
				p.await("at " + point)
				p.kill()
			}
			c.Point = ""
			began := time.Now()
			p := launchRelay(t, "heir", c)
			p.await("done")
			if took := time.Since(began); took > 50*time.Second {
				t.Errorf("the heir was done after %v; it should not have waited for the transaction timeout", took)
			}
			p.end()
			checkRelayed(t, brokers, c.Topic, c.Events)
			hook.check(t, c.Events)
		})
	}
}

// A process stands still at a point, another one takes over and finishes, and then the first one goes on: nothing of it becomes visible.
func TestRelayZombie(t *testing.T) {
	brokers := anyBrokers(t)
	for _, point := range relayPoints()[:3] {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			name := kafkatest.UniqueName(t, "relay")
			c := relayConfig{Brokers: brokers, Service: name, Topic: name + ".public", Events: 30, Point: point, Hit: 5}
			zombie := launchRelay(t, "zombie", c)
			zombie.await("at " + point)
			c.Point = ""
			heir := launchRelay(t, "heir", c)
			heir.await("done")
			zombie.proceed()
			zombie.await("fenced")
			zombie.end()
			heir.end()
			checkRelayed(t, brokers, c.Topic, c.Events)
		})
	}
}
