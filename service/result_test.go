package service_test

import (
	"os"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// asked gives what is known of a command, and fails the test when that cannot be asked.
func (st *stage) asked(by *running, id string) muster.Result[account] {
	st.t.Helper()
	r, err := st.deposit.Result(st.within(), by.Client(), "acc-1", id, muster.Timeout(20*time.Second))
	if err != nil {
		st.t.Fatalf("result of %s: %v", id, err)
	}
	return r
}

// The result of a command outlives its caller: over a restart of the owner, over a takeover by another replica, and over the loss of the
// store, which loses refusals only. While no owner runs, it is pending.
func TestResultOutlivesItsCaller(t *testing.T) { resultOutlives(t, kafkatest.Brokers(t)) }

func resultOutlives(t *testing.T, brokers []string) {
	st := newStage(t, brokers, 2)
	caller := st.config()
	caller.Name, caller.DataDir, caller.Metrics = kafkatest.UniqueName(t, "caller"), "", nil
	asking := start(t, caller)
	config := func(name string) service.Config {
		cfg := st.config()
		cfg.Instance, cfg.Metrics = name, nil
		return cfg
	}
	one := config("one")
	s := start(t, one, st.owner(nil))
	call := func(id string, amount int64) { // by a caller that is not the one who asks later
		t.Helper()
		if _, err := st.deposit.Call(st.within(), s.Client(), "acc-1", deposit{Amount: amount}, muster.CommandID(id)); err != nil {
			t.Fatal(err)
		}
	}
	call("d1", 5)
	if _, err := st.withdraw.Call(st.within(), s.Client(), "acc-1", withdraw{Amount: 50}, muster.CommandID("w1")); muster.CodeOf(err) != muster.FailedPrecondition {
		t.Fatalf("overdraft: %v", err)
	}
	check := func(when string, refusals bool) {
		t.Helper()
		if r := st.asked(asking, "d1"); r.State != muster.ResultDone || r.Value.Balance != 5 || r.Receipt.Revision != 1 || r.Receipt.Position.Topic != st.group.JournalTopic("") {
			t.Errorf("%s: deposit: %+v", when, r)
		}
		r := st.asked(asking, "w1")
		if refusals && (r.State != muster.ResultDone || muster.CodeOf(r.Refusal) != muster.FailedPrecondition) || !refusals && r.State != muster.ResultUnknown {
			t.Errorf("%s: withdrawal: %+v", when, r)
		}
		if r := st.asked(asking, "never"); r.State != muster.ResultUnknown {
			t.Errorf("%s: an id that never was: %+v", when, r)
		}
	}
	check("at once", true)
	s.end()
	if r, err := st.deposit.Result(t.Context(), asking.Client(), "acc-1", "d1", muster.Timeout(time.Second)); err != nil || r.State != muster.ResultPending {
		t.Errorf("without an owner: %+v, %v", r, err)
	}
	s = start(t, one, st.owner(nil))
	check("after a restart", true)
	two := start(t, config("two"), st.owner(nil))
	s.end()
	st.until("the other replica has all partitions", func() bool { return two.Ready() == nil && len(two.Status()) == 2 })
	check("after a takeover", false) // its store has never seen the refusal
	two.end()
	if err := os.RemoveAll(one.DataDir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(one.DataDir, 0o755); err != nil {
		t.Fatal(err)
	}
	s = start(t, one, st.owner(nil))
	check("after the loss of the store", false)
	call("d2", 1)
	if r := st.asked(asking, "d2"); r.State != muster.ResultDone || r.Value.Balance != 6 {
		t.Errorf("a new command: %+v", r)
	}
	if events := st.journal().Len(); events != 2 {
		t.Errorf("%d events after two deposits; a question must write nothing", events)
	}
}

// A group that nobody has made cannot be asked: an error, not "unknown".
func TestResultOfAGroupThatIsNot(t *testing.T) {
	st := newStage(t, kafkatest.Brokers(t), 2)
	caller := st.config()
	caller.DataDir, caller.Metrics = "", nil
	c := start(t, caller)
	r, err := st.deposit.Result(t.Context(), c.Client(), "acc-1", "d1", muster.Timeout(2*time.Second))
	if err == nil || r.State == muster.ResultPending {
		t.Errorf("%+v, %v", r, err)
	}
}
