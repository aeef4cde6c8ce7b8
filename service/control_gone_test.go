package service_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// The control topic is deleted: what was ordered is forgotten, and a running service says that it hears no more. One that starts makes the topic again. What
// was done is not done again, and what is ordered then is done, although the numbers of the topic begin anew.
func TestControlTopicMadeAgain(t *testing.T) {
	brokers := anyBrokers(t)
	b := newBank(t, muster.Partitions(1))
	var broken atomic.Bool
	totals := func() *projector.View[balance] {
		v := projector.NewView[balance]("totals", projector.OnFailure(projector.Policy{Tries: 1, Then: projector.Park}))
		projector.On(v, b.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
			if broken.Load() && e.Amount == storyPoison {
				return errors.New("not thought of")
			}
			return rows.Update(m.AggregateID, func(r balance) balance { return balance{r.Sum + e.Amount, r.Events + 1} })
		})
		return v
	}
	cfg := service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir(), SessionTimeout: session}
	view := totals()
	s := start(t, cfg, b.owner(nil), view)
	give := func(amount int64, want muster.Code) {
		t.Helper()
		if _, err := b.deposit.Call(bounded(t), s.Client(), "acc", deposit{Amount: amount}, muster.WaitFor(view)); muster.CodeOf(err) != want {
			t.Fatalf("a deposit: %v, want %v", err, want)
		}
	}
	wantRow := func(want balance) {
		t.Helper()
		if row, err := view.Get(bounded(t), s.Views(), "acc"); err != nil || row != want {
			t.Errorf("the row is %+v, %v; want %+v", row, err, want)
		}
	}
	scope := projector.Scope{Projection: "totals"}
	order := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	give(1, muster.OK)
	for range 8 { // numbers grow
		order(s.Operator().RetryAll(bounded(t), scope))
	}
	order(s.Operator().Restart(bounded(t), scope)) // applies again, onto the row: it would be seen if it were done twice
	eventually(t, "the restart is done", func() bool {
		row, err := view.Get(bounded(t), s.Views(), "acc")
		return err == nil && row.Events == 2
	})

	deleteControl(t, brokers, cfg.Name)
	if err := s.Operator().RetryAll(bounded(t), scope); muster.CodeOf(err) != muster.Unavailable || !strings.Contains(err.Error(), "made again") {
		t.Errorf("an order nobody hears: %v", err)
	}
	if err := s.Healthy(); err == nil || !strings.Contains(err.Error(), "restart the service") {
		t.Errorf("health of a service that is deaf: %v", err)
	}
	give(2, muster.OK) // it works on
	s.end()

	broken.Store(true)
	view = totals()
	s = start(t, cfg, b.owner(nil), view)
	wantRow(balance{4, 3})
	give(storyPoison, muster.FailedPrecondition)
	broken.Store(false)
	order(s.Operator().RetryAll(bounded(t), scope))
	wantRow(balance{4 + storyPoison, 4})
	order(s.Operator().Pause(bounded(t), scope))
	order(s.Operator().Resume(bounded(t), scope))
	give(3, muster.OK)
	if letters, err := s.Operator().Letters(bounded(t), projector.LetterQuery{Scope: scope}); err != nil || len(letters) > 0 {
		t.Errorf("letters %v, %v", letters, err)
	}
}

// deleteControl deletes a service's control topic and makes it again.
func deleteControl(t *testing.T, brokers []string, name string) {
	t.Helper()
	cfg := kafka.Config{Brokers: brokers}
	admin, err := kafka.OpenAdmin(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	topic, raw := muster.ControlTopic("", name), kadm.NewClient(client)
	if _, err := raw.DeleteTopic(bounded(t), topic); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the topic is gone", func() bool {
		topics, err := raw.ListTopics(bounded(t))
		return err == nil && !topics.Has(topic)
	})
	if err := admin.EnsureControl(bounded(t), name, true); err != nil {
		t.Fatal(err)
	}
}
