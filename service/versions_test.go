package service_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// doubled is another definition of the totals: every row of it can be told from one of version 1. It is built from when begin is closed, at once where that
// is nil.
func (b *bank) doubled(begin <-chan struct{}, opts ...projector.Option) *projector.View[balance] {
	v := projector.NewView[balance]("totals", append(opts, projector.Version(2))...)
	projector.On(v, b.credited, func(ctx context.Context, rows *projector.Rows[balance], e credited, m muster.Meta) error {
		if begin != nil {
			select {
			case <-begin:
			case <-ctx.Done():
				return projector.ToWait(ctx.Err())
			}
		}
		return rows.Update(m.AggregateID, func(t balance) balance { return balance{t.Sum + 2*e.Amount, t.Events + 1} })
	})
	return v
}

// A build with a second version is deployed: who reads all the time sees the rows of version 1, then those of version 2, all of them and never
// less. Then version 2 is rebuilt in the same way, and an operator goes back to version 1.
func TestVersionsSwitchUnderReaders(t *testing.T) {
	const accounts, each = 8, 25
	brokers := anyBrokers(t)
	b := newBank(t, muster.Partitions(4))
	name, dir := kafkatest.UniqueName(t, "bank"), t.TempDir()
	cfg := func() service.Config {
		return service.Config{Name: name, Instance: "one", Brokers: brokers, DataDir: dir, SessionTimeout: session}
	}
	first := start(t, cfg(), b.owner(nil), b.totals())
	w := &teller{t: t, b: b, owner: first, want: map[string]balance{}}
	w.work(accounts, each)
	w.check(b.totals(), first)
	first.end()

	begin := make(chan struct{}) // version 1 serves for about a second from here, which a busy machine may need for the start alone
	one, two := b.totals(), b.doubled(begin, projector.BuildRate(200))
	s := start(t, cfg(), b.owner(nil), one, two)
	version := func() int {
		factor := int64(0)
		for i := range accounts {
			id := "acc-" + string(rune('0'+i))
			row, err := one.Get(bounded(t), s.Views(), id, projector.AtVersion(0))
			if err != nil {
				if muster.CodeOf(err) == muster.Unavailable { // shards are claimed at the start
					return 0
				}
				t.Fatalf("%s: %v", id, err)
			}
			is := row.Sum / w.want[id].Sum
			if row.Sum != is*w.want[id].Sum || row.Events != each || is != 1 && is != 2 {
				t.Fatalf("%s is %+v: neither version has such a row", id, row)
			}
			if factor != 0 && factor != is {
				return -1 // the switch was between two reads
			}
			factor = is
		}
		return int(factor)
	}
	var seen [3]atomic.Int64
	wait := func(want int) {
		t.Helper()
		eventually(t, "another version serves", func() bool {
			is := version()
			if is > 0 {
				seen[is].Add(1)
			}
			return is == want
		})
	}
	wait(1)
	close(begin)
	wait(2)
	if seen[1].Load() == 0 {
		t.Error("version 1 was never seen")
	}

	generation, err := s.Operator().Rebuild(bounded(t), "totals")
	if err != nil || generation != 1 {
		t.Fatalf("generation %d, %v", generation, err)
	}
	eventually(t, "the rebuilt rows serve", func() bool {
		if is := version(); is != 2 {
			t.Fatalf("version %d during a rebuild", is)
		}
		for _, st := range s.Projections() {
			if st.Projection == "totals@2" && st.Generation == 0 {
				return false
			}
		}
		return true
	})
	if code, body := request(t, s, http.MethodPost, "/projections/totals@1/serve", ""); code != http.StatusNoContent {
		t.Fatalf("%d %s", code, body)
	}
	wait(1)
	if code, body := asked(s.Handler(), "/projections/totals/versions"); code != http.StatusOK || strings.Count(body, `"ready": true`) != 2 {
		t.Errorf("%d %s", code, body)
	}
	// What a call waits for is the version that it names.
	var r muster.Receipt
	if _, err := b.deposit.Call(bounded(t), s.Client(), "acc-0", deposit{Amount: 1}, muster.WaitFor(two), muster.ReceiptTo(&r)); err != nil {
		t.Fatal(err)
	}
	row, err := two.Get(bounded(t), s.Views(), "acc-0")
	if err != nil || row.Events != each+1 {
		t.Errorf("%+v, %v", row, err)
	}
}

// When version 2 has served for as long as version 1 is kept, who still reads through a handle of version 1, or waits for it, is told at once what to do
// instead. Before it was asked for again for seconds, as if its shards were moving.
func TestReadersOfARetiredVersion(t *testing.T) {
	b := newBank(t, muster.Partitions(2))
	name := kafkatest.UniqueName(t, "bank")
	one, two := b.totals(), b.doubled(nil, projector.KeepOld(time.Millisecond))
	s := start(t, service.Config{Name: name, Brokers: anyBrokers(t), DataDir: t.TempDir()}, b.owner(nil), one, two)
	w := &teller{t: t, b: b, owner: s, want: map[string]balance{}}
	w.work(2, 2)
	eventually(t, "version 1 is out of use", func() bool {
		_, err := one.Get(bounded(t), s.Views(), "acc-0")
		return muster.ReasonOf(err) == projector.ReasonRetired
	})
	told := func(what string, err error) {
		t.Helper()
		if muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "totals@2 serves") || !strings.Contains(err.Error(), "AtVersion(0)") {
			t.Errorf("%s: %v", what, err)
		}
	}
	_, err := one.Get(bounded(t), s.Views(), "acc-0")
	told("a row", err)
	_, err = one.Get(bounded(t), s.Views(), "acc-0", projector.Stale())
	told("a row that may be old", err)
	_, err = one.Count(bounded(t), s.Views(), "events")
	told("a counter", err)
	told("a watch", one.Watch(bounded(t), s.Views(), func(projector.RowChange[balance]) error { return nil }))
	var r muster.Receipt
	if _, err = b.deposit.Call(bounded(t), s.Client(), "acc-0", deposit{Amount: 1}, muster.ReceiptTo(&r)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "version 1 has let go of its shards", func() bool { // until then it applies what comes
		err = s.AwaitView(bounded(t), "totals", 1, r.Position)
		return err != nil && muster.CodeOf(err) != muster.Unavailable // while they are on their way
	})
	told("a wait", err)
	if code, body := asked(s.Handler(), "/views/totals@1/rows/acc-0"); code != http.StatusBadRequest || !strings.Contains(body, "totals@2") {
		t.Errorf("over HTTP: %d %s", code, body)
	}
	eventually(t, "version 2 has the rows", func() bool {
		row, err := one.Get(bounded(t), s.Views(), "acc-0", projector.AtVersion(0), projector.AtLeast(r.Position))
		return err == nil && row.Events == 3
	})
}
