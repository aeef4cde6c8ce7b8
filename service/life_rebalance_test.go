package service_test

import (
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// Three instances, one of which stays; the others leave and come back, a dozen times, under load. Callers that retry see no error, every
// command has one effect, every answer is true and given in order.
func TestLifeRebalancesUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("a dozen rebalances under load take some seconds")
	}
	st := newStage(t, kafkatest.Brokers(t), 6)
	stays := st.open()
	callers := []*running{start(t, callerOf(st)), start(t, callerOf(st))}
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for n := 0; ; n++ {
			st.deposits(fmt.Sprint("load-", n), 24, 12, 6, callers...)
			select {
			case <-quit:
				return
			default:
			}
		}
	}()
	cfg := st.config()
	cfg.Metrics = nil
	other := st.config()
	other.Metrics = nil
	for range 3 {
		one := start(t, cfg, st.owner(nil)) // the same directory each time: warm
		other.DataDir = t.TempDir()         // and a new one each time: cold
		two := start(t, other, st.owner(nil))
		before := st.answered()
		st.until("the load goes on with three", func() bool { return st.answered() > before+24 })
		one.end()
		two.end()
		before = st.answered()
		st.until("the load goes on with one", func() bool { return st.answered() > before+24 })
	}
	close(quit)
	<-done
	st.until("all partitions serve at the one that is left", func() bool { return stays.Ready() == nil && len(stays.Status()) == 6 })
	st.complete(stays)
	if n := st.counter("muster_rebalances_total", nil); n < 10 {
		t.Errorf("muster_rebalances_total is %v; want at least 10", n)
	}
	t.Logf("%d deposits during %v rebalances", st.answered(), st.counter("muster_rebalances_total", nil))
}

// With StayMember a restart within the session leaves the partitions where they were, and nothing has to be read again.
func TestLifeRestartAsAMember(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 4)
	cfg := st.config()
	cfg.SessionTimeout = patientSession // the restart has to be done within it
	stays := start(t, cfg, st.owner(nil))
	cfg.DataDir, cfg.Metrics, cfg.StayMember = t.TempDir(), nil, true
	s := start(t, cfg, st.owner(nil))
	st.until("each serves two", func() bool {
		return s.Ready() == nil && stays.Ready() == nil && len(s.Status()) == 2
	})
	st.deposits("before", 20, 10, 4, s)
	s.end()
	s = start(t, cfg, st.owner(nil))
	st.deposits("after", 20, 10, 4, s)
	if n := st.counter("muster_replayed_events_total", nil); n != 0 {
		t.Errorf("%v events were replayed at the other instance", n)
	}
	if len(s.Status()) != 2 || len(stays.Status()) > 4 {
		t.Errorf("status %+v; want the two partitions as before", s.Status())
	}
	st.complete(s)
}
