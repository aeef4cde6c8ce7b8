package service_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// balance is a row of the views of these tests.
type balance struct {
	Sum, Events int64
}

// totals is a view with a row for each account.
func (b *bank) totals(opts ...projector.Option) *projector.View[balance] {
	v := projector.NewView[balance]("totals", opts...)
	projector.On(v, b.credited, func(_ context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + e.Amount, t.Events + 1} })
	})
	projector.On(v, b.debited, func(_ context.Context, rows *projector.Rows[balance], e debited, m muster.Meta) error {
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum - e.Amount, t.Events + 1} })
	})
	return v
}

// bounded bounds a wait that is not expected to take a fraction of it.
func bounded(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

// A view of the owner's own service has what a command wrote when a call that waits for it returns, and has it after a restart.
func TestAViewBesideItsOwner(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(4))
	cfg := service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}
	for life := int64(1); life <= 2; life++ {
		totals := b.totals()
		s := start(t, cfg, b.owner(nil), totals)
		for i := range 8 {
			id := fmt.Sprintf("acc-%d", i)
			if _, err := b.deposit.Call(bounded(t), s.Client(), id, deposit{Amount: 10}, muster.WaitFor(totals)); err != nil {
				t.Fatal(err)
			}
			row, err := totals.Get(bounded(t), s.Views(), id)
			if err != nil || row.Sum != 10*life || row.Events != life {
				t.Fatalf("life %d, %s: %+v, %v", life, id, row, err)
			}
		}
		if all := s.Projections(); len(all) != 4 || all[0].Projection != "totals@1" || all[0].Instance != s.Instance() {
			t.Errorf("status: %+v", all)
		}
		s.end()
		if _, err := b.deposit.Call(t.Context(), s.Client(), "acc-0", deposit{}, muster.WaitFor(totals)); err == nil {
			t.Error("a call of a service that has ended succeeded")
		}
	}
}

// A service may have nothing but projections: it owns no group, and reads the journals of one that does.
func TestProjectionWorkers(t *testing.T) {
	brokers := kafkatest.Embedded(t, embedded.Config{}).Brokers()
	b := newBank(t, muster.Partitions(4))
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	totals := b.totals()
	name := kafkatest.UniqueName(t, "views")
	worker := start(t, service.Config{Name: name, Brokers: brokers, DataDir: t.TempDir()}, totals)
	_, receipt, err := callFor(t, owner, b, "acc-1", 7)
	if err != nil {
		t.Fatal(err)
	}
	if err := worker.AwaitView(bounded(t), "totals", 0, receipt); err != nil {
		t.Fatal(err)
	}
	if row, err := totals.Get(bounded(t), worker.Views(), "acc-1"); err != nil || row.Sum != 7 {
		t.Errorf("%+v, %v", row, err)
	}
	if err := worker.AwaitView(t.Context(), "sums", 0, receipt); muster.CodeOf(err) != muster.NotFound {
		t.Errorf("a projection that is not there: %v", err)
	}
	if err := worker.AwaitView(t.Context(), "totals", 2, receipt); muster.CodeOf(err) != muster.NotFound {
		t.Errorf("a version that is not there: %v", err)
	}
	if all, err := worker.Placement(bounded(t), "totals", 1); err != nil || len(all) != 4 || all[0].Name != worker.Instance() {
		t.Errorf("placement: %v, %v", all, err)
	}
}

// callFor gives the position of what a deposit wrote.
func callFor(t testing.TB, s *running, b *bank, id string, amount int64) (account, muster.Position, error) {
	t.Helper()
	var receipt muster.Receipt
	a, err := b.deposit.Call(bounded(t), s.Client(), id, deposit{Amount: amount}, muster.ReceiptTo(&receipt))
	return a, receipt.Position, err
}

// What cannot work is refused when the service opens, all of it at once.
func TestProjectionsAreChecked(t *testing.T) {
	b := newBank(t)
	broker := kafkatest.Embedded(t, embedded.Config{})
	brokers, cfg := broker.Brokers(), service.Config{Name: "views", Brokers: broker.Brokers()}
	_, err := service.Open(bounded(t), cfg, b.totals(), b.totals(), projector.NewView[balance]("none"), "what is this?")
	for _, want := range []string{"two projections are totals@1", "DataDir is empty; views", "none@1: it has no functions", "string is no part"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %q: %v", want, err)
		}
	}
	cfg.DataDir = t.TempDir()
	soon, cancel := context.WithCancel(bounded(t))
	looks := 0
	broker.Cluster().ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
		broker.Cluster().KeepControl()
		for _, topic := range req.(*kmsg.MetadataRequest).Topics {
			if topic.Topic != nil && *topic.Topic == b.group.JournalTopic("") {
				if looks++; looks == 3 { // it has been told twice that there is none
					cancel()
				}
			}
		}
		return nil, nil, false
	})
	if _, err := service.Open(soon, cfg, b.totals()); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("without a journal: %v", err)
	}
	owner := start(t, service.Config{Name: kafkatest.UniqueName(t, "bank"), Brokers: brokers, DataDir: t.TempDir()}, b.owner(nil))
	owner.end()
	other := &bank{group: muster.NewGroup(b.group.Name(), muster.Partitions(5))}
	other.credited, other.debited = muster.NewEvent[credited](other.group, "bank.Credited"), muster.NewEvent[debited](other.group, "bank.Debited")
	if _, err := service.Open(bounded(t), cfg, other.totals()); muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "5") {
		t.Errorf("another partition count: %v", err)
	}
}
