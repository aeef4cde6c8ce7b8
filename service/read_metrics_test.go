package service_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// The metrics of a service by name and label, after a known load. Dashboards and alerts hold on to these.
func TestReadMetrics(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	s := start(t, st.config(), st.owner(func(_ context.Context, r *muster.Root[*account], in deposit) (account, error) {
		if in.Amount == 13 {
			panic("unlucky")
		}
		st.credited.Emit(r, credited(in))
		st.credited.Emit(r, credited(in))
		return *r.State(), nil
	}))
	for _, amount := range []int64{1, 2, 3, 13} {
		_, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: amount})
		if (err != nil) != (amount == 13) {
			t.Errorf("deposit of %d: %v", amount, err)
		}
	}
	if _, err := st.withdraw.Call(st.within(), s.Client(), "acc-1", withdraw{Amount: 100}); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Errorf("overdraft: %v", err)
	}
	if _, err := st.balance.Call(st.within(), s.Client(), "acc-1", ask{}); err != nil {
		t.Error(err)
	}
	group := map[string]string{"group": st.group.Name()}
	st.until("the last answer is counted", func() bool { return st.counter("muster_answers_total", group) >= 6 }) // behind its sending
	with := func(label, value string) map[string]string {
		return map[string]string{"group": st.group.Name(), label: value}
	}
	for _, c := range []struct {
		name   string
		labels map[string]string
		want   float64
	}{
		{"muster_events_total", group, 6},
		{"muster_dead_letters_total", with("reason", muster.ReasonPanic), 1},
		{"muster_answers_total", with("code", "OK"), 4},
		{"muster_answers_total", with("code", "INTERNAL"), 1},
		{"muster_answers_total", with("code", "FAILED_PRECONDITION"), 1},
		{"muster_replies_dropped_total", group, 0},
		{"muster_partitions", with("state", "serving"), 2},
		{"muster_partitions", with("state", "recovering"), 0},
		{"muster_partitions", with("state", "stopped"), 0},
		{"muster_recovery_seconds", group, 2},
		{"muster_stage_seconds", with("stage", "decide"), 6},
		{"muster_stage_seconds", with("stage", "commit"), 6},
		{"muster_stage_seconds", with("stage", "store"), 6},
		{"muster_stage_seconds", with("stage", "end"), 4}, // the overdraft and the query are plain offset commits
		{"muster_stage_seconds", with("stage", "produce"), 4},
		{"muster_batch_commands", group, 6},
		{"muster_aborts_total", group, 0},
		{"muster_suspensions_total", group, 0},
		{"muster_stops_total", group, 0},
		{"muster_calls_waiting", nil, 0},
		{"muster_late_replies_total", nil, 0},
	} {
		if got := st.counter(c.name, c.labels); got != c.want {
			t.Errorf("%s%v is %v; want %v", c.name, c.labels, got, c.want)
		}
	}
	st.until("nothing waits in the topic", func() bool { return st.counter("muster_lag_commands", group) == 0 })
	families, err := st.metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if faults, err := promlint.NewWithMetricFamilies(families).Lint(); err != nil || len(faults) > 0 {
		t.Errorf("lint: %v, %v", faults, err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if !slices.Contains([]string{"group", "stage", "type", "code", "state", "reason", "cause", "outcome"}, l.GetName()) || strings.Contains(l.GetValue(), "acc-1") {
					t.Errorf("%s has the label %s=%s, which is not bounded", f.GetName(), l.GetName(), l.GetValue())
				}
			}
		}
	}
	s.end()
	if left, err := st.metrics.Gather(); err != nil || len(left) > 0 {
		t.Errorf("%d families are still registered after Run, %v", len(left), err)
	}
}
