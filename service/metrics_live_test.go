package service_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/embedded"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// notMoved is what a plain owner does not show, with the reason. All else in the table has a series after the work below.
var notMoved = map[string]string{
	"muster_subscription_events_total": "needs a subscription",
	"muster_subscription_faults_total": "needs a subscription",
	"muster_subscription_lag_events":   "needs a subscription",
	"muster_dead_letters_marked_total": "needs an operator",
	"muster_snapshots_ignored_total":   "needs a snapshot that cannot be used",

	"muster_privacy_faults_total":   "needs a key that cannot be had",
	"muster_privacy_unwrap_seconds": "needs data of a person",

	"muster_projection_failures_total":  "needs an event that fails",
	"muster_projection_faults_total":    "needs brokers that are away",
	"muster_projection_abandoned_total": "needs a function that does not return",
	"muster_projection_rebuilds_total":  "needs a damaged view store",
}

// A live service that has done work shows every metric of docs/metrics.md, with just these labels, and no other.
func TestLiveServiceShowsWhatIsDocumented(t *testing.T) {
	documented := documentedMetrics(t)
	st := newStage(t, kafkatest.Embedded(t, embedded.Config{}).Brokers(), 2)
	// A command that waits before anybody serves it, and dedup rows and a journal to recover: the second life of the same directory.
	first := st.config()
	first.Metrics = nil
	s := start(t, first, st.owner(nil))
	if _, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: 1}); err != nil {
		t.Fatal(err)
	}
	s.end()
	caller := first
	caller.Name, caller.DataDir = kafkatest.UniqueName(t, "caller"), t.TempDir()
	c := start(t, caller)
	if _, err := st.deposit.Send(st.within(), c.Client(), "acc-1", deposit{Amount: 1}); err != nil {
		t.Fatal(err)
	}
	second := first
	second.Metrics, second.Recovery.SnapshotEvery = st.metrics, 1
	second.Privacy, second.Erasure = memoryPrivacy(), &service.ErasureConfig{KeySpace: st.group.Name(), Rotation: &service.KeyRotation{}}
	s = start(t, second, st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount == 13 {
			panic("unlucky")
		}
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	}), st.totals())
	for _, amount := range []int64{1, 13} {
		_, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: amount})
		if (err != nil) != (amount == 13) {
			t.Errorf("deposit of %d: %v", amount, err)
		}
	}
	if _, err := st.deposit.Send(st.within(), s.Client(), "acc-1", deposit{Amount: 1}); err != nil {
		t.Error(err)
	}
	if r, err := st.deposit.Result(st.within(), s.Client(), "acc-1", "never"); err != nil || r.State != muster.ResultUnknown {
		t.Errorf("%+v, %v", r, err)
	}
	st.until("snapshots were written", func() bool { return len(series(t, st.metrics, "muster_snapshot_seconds", nil)) > 0 })
	st.until("a view had a batch", func() bool { return len(series(t, st.metrics, "muster_projection_batch_seconds", nil)) > 0 })
	families, err := st.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	live := map[string]string{}
	for _, f := range families {
		kind := strings.ToLower(f.GetType().String())
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
				if strings.Contains(l.GetValue(), "acc-1") || strings.Contains(l.GetValue(), "never") {
					t.Errorf("%s has the label %s=%s", f.GetName(), l.GetName(), l.GetValue())
				}
			}
			live[f.GetName()] = described(kind, labels)
			if live[f.GetName()] != documented[f.GetName()] {
				t.Errorf("%s is %q, docs/metrics.md has %q", f.GetName(), live[f.GetName()], documented[f.GetName()])
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		_, shown := live[name]
		if why, excused := notMoved[name]; shown == excused {
			t.Errorf("%s is in docs/metrics.md; shown by a live service: %v; excused as %q. Let this test do what moves it", name, shown, why)
		}
	}
	for _, name := range []string{"muster_takeover_seconds", "muster_recovery_seconds", "muster_handle_seconds", "muster_batch_bytes"} {
		if all := series(t, st.metrics, name, nil); len(all) == 0 || all[0].GetHistogram().GetSampleCount() == 0 {
			t.Errorf("%s was not observed", name)
		}
	}
	group := map[string]string{"group": st.group.Name()}
	for name, least := range map[string]float64{"muster_dedup_ids": 1, "muster_dedup_bytes": 1, "muster_store_disk_bytes": 1, "muster_rebalances_total": 1} {
		if got := total(t, st.metrics, name, nil); got < least {
			t.Errorf("%s is %v", name, got)
		}
	}
	st.until("the aggregate counts as resident", func() bool { return total(t, st.metrics, "muster_resident_aggregates", group) >= 1 })
}
