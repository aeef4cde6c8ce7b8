package service_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// What is parked in a shard of another instance is listed, inspected and retried from any.
func TestLettersOfOtherInstances(t *testing.T) {
	const partitions = 2
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(partitions))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	var mended atomic.Bool
	name := kafkatest.UniqueName(t, "views")
	var all []*replica
	for range partitions {
		sums := projector.NewView[balance]("sums", projector.OnFailure(projector.Policy{Tries: 1}))
		projector.On(sums, b.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
			if !mended.Load() {
				return errors.New("unlucky")
			}
			return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
		})
		cfg := service.Config{Name: name, Instance: fmt.Sprint("i", len(all)), Brokers: brokers}
		all = append(all, newReplica(t, cfg, sums))
	}
	eventually(t, "each has a shard", func() bool { return live(all[0].running) == 1 && live(all[1].running) == 1 })

	var ids [partitions]string
	for n := 0; ids[0] == "" || ids[1] == ""; n++ {
		id := fmt.Sprint("acc-", n)
		ids[kafka.Partition(id, partitions)] = id
	}
	for _, id := range ids {
		if _, err := b.deposit.Call(bounded(t), owner.Client(), id, deposit{Amount: 5}); err != nil {
			t.Fatal(err)
		}
	}
	one := all[0]
	var letters []projector.Letter
	eventually(t, "both are parked", func() bool {
		var err error
		letters, err = one.Operator().Letters(bounded(t), projector.LetterQuery{Scope: projector.Scope{Projection: "sums"}})
		return err == nil && len(letters) == partitions
	})
	for i, id := range ids {
		if l := letters[i]; l.Event.AggregateID != id || l.Kind != projector.Parked || l.Cause != "unlucky" || !strings.Contains(string(l.Event.Payload), "5") {
			t.Errorf("letter %d of %s: %+v", i, id, l)
		}
	}
	if code, body := asked(one.Handler(), "/projections/sums/letters"); code != http.StatusOK || strings.Count(body, `"parked"`) != partitions {
		t.Errorf("%d %s", code, body)
	}
	mended.Store(true)
	for i := range ids {
		if err := one.Operator().Retry(bounded(t), projector.Scope{Projection: "sums"}, letters[i].Key); err != nil {
			t.Errorf("retry of %s: %v", ids[i], err)
		}
		row, err := one.view.Get(bounded(t), one.Views(), ids[i])
		if err != nil || row != (balance{5, 1}) {
			t.Errorf("%s: %+v, %v", ids[i], row, err)
		}
	}
}
