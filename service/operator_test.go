package service_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// request sends a request to the handler of a service and gives the answer.
func request(t *testing.T, s *running, method, path, body string) (status int, answer string) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(bounded(t), method, path, strings.NewReader(body)))
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, string(text)
}

// states gives the states that a status answer tells, by shard.
func states(t *testing.T, s *running, path string) map[int32]projector.State {
	t.Helper()
	status, answer := request(t, s, http.MethodGet, path, "")
	var page struct {
		Shards []struct {
			Shard int32
			State projector.State
		}
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s: %v", status, answer, err)
	}
	all := map[int32]projector.State{}
	for _, s := range page.Shards {
		all[s.Shard] = s.State
	}
	return all
}

// An order given to one instance reaches the others, holds over a restart of all, and is undone from another one.
func TestOrdersReachAllInstances(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(2))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	name, dirs := kafkatest.UniqueName(t, "views"), []string{t.TempDir(), t.TempDir()}
	totals := b.totals()
	worker := func(i int) *running {
		return start(t, service.Config{Name: name, Instance: string(rune('a' + i)), Brokers: brokers, DataDir: dirs[i]}, totals)
	}
	one, other := worker(0), worker(1)
	eventually(t, "each has one", func() bool { return live(one) == 1 && live(other) == 1 })
	if status, answer := request(t, one, http.MethodPost, "/projections/totals/pause", ""); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	for _, s := range []*running{one, other} {
		if all := states(t, s, "/projections"); len(all) != 2 || all[0] != projector.Paused || all[1] != projector.Paused {
			t.Errorf("%s sees %v", s.Instance(), all)
		}
	}
	_, at, err := callFor(t, owner, b, "acc-1", 5)
	if err != nil {
		t.Fatal(err)
	}
	one.end()
	other.end()
	one, other = worker(0), worker(1)
	eventually(t, "both are there and paused", func() bool {
		all := states(t, other, "/projections/totals@1")
		return all[0] == projector.Paused && all[1] == projector.Paused && len(one.Projections()) == 1
	})
	if err := errors.Join(one.AwaitView(bounded(t), "totals", 1, at), other.AwaitView(bounded(t), "totals", 1, at)); err == nil {
		t.Error("a paused projection has applied what came after the pause")
	}
	if status, answer := request(t, other, http.MethodPost, "/projections/totals/resume", `{}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	eventually(t, "one of them has applied it", func() bool {
		return one.AwaitView(bounded(t), "totals", 1, at) == nil || other.AwaitView(bounded(t), "totals", 1, at) == nil
	})
	for path, want := range map[string]int{
		"/projections/totals/dance": http.StatusNotImplemented, "/projections/totals/skip": http.StatusBadRequest,
		"/projections/sums/pause": http.StatusNotFound, "/projections/totals/drop": http.StatusBadRequest,
	} {
		if status, answer := request(t, one, http.MethodPost, path, `{}`); status != want {
			t.Errorf("%s: %d %s", path, status, answer)
		}
	}
	if status, _ := request(t, one, http.MethodPost, "/projections/totals/pause", `{"shards":[9]}`); status != http.StatusBadRequest {
		t.Errorf("a shard that is not there: %d", status)
	}
	if status, _ := request(t, one, http.MethodPost, "/projections/totals/pause", `{"shard":[1]}`); status != http.StatusBadRequest {
		t.Errorf("a field that is not there: %d", status)
	}
}

// A poison event parks its key, others go on; when the function is mended an operator has it retried.
func TestAPoisonEventIsRetried(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(1))
	var mended atomic.Bool
	sums := projector.NewView[balance]("sums", projector.OnFailure(projector.Policy{Tries: 1}))
	projector.On(sums, b.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		if e.Amount == 13 && !mended.Load() {
			return errors.New("unlucky")
		}
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
	})
	s := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil), sums)
	for _, amount := range []int64{1, 13, 2} {
		_, err := b.deposit.Call(bounded(t), s.Client(), "poisoned", deposit{Amount: amount}, muster.WaitFor(sums))
		if (err == nil) != (amount == 1) {
			t.Errorf("waiting for a deposit of %d: %v", amount, err)
		}
	}
	if _, err := b.deposit.Call(bounded(t), s.Client(), "sound", deposit{Amount: 7}, muster.WaitFor(sums)); err != nil {
		t.Fatal(err)
	}
	if row, err := sums.Get(bounded(t), s.Views(), "poisoned"); err != nil || row.Sum != 1 {
		t.Errorf("%+v, %v", row, err)
	}
	_, answer := request(t, s, http.MethodGet, "/projections/sums/letters", "")
	var page struct {
		Letters []struct{ Kind, Key, Cause string }
	}
	if err := json.Unmarshal([]byte(answer), &page); err != nil || len(page.Letters) != 2 || page.Letters[0].Kind != "parked" || page.Letters[1].Kind != "waiting" ||
		!strings.Contains(page.Letters[0].Cause, "unlucky") {
		t.Fatalf("letters: %s, %v", answer, err)
	}
	mended.Store(true)
	eventually(t, "the status tells of the letters", func() bool {
		_, answer := request(t, s, http.MethodGet, "/projections/sums", "")
		return strings.Contains(answer, `"waiting": 1`)
	})
	if status, answer := request(t, s, http.MethodPost, "/projections/sums/retry", `{"key":"`+page.Letters[0].Key+`"}`); status != http.StatusNoContent {
		t.Fatalf("%d %s", status, answer)
	}
	if row, err := sums.Get(bounded(t), s.Views(), "poisoned"); err != nil || row.Sum != 16 || row.Events != 3 {
		t.Errorf("%+v, %v", row, err)
	}
}
