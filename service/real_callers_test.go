package service_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-3eec0498/muster"
)

// Three replicas of a caller have 200 calls each in flight at the same time: every call gets an answer, and its own.
func TestAnswersReachTheirCallers(t *testing.T) {
	r := newRun(t, anyBrokers(t), 12, 3)
	start(t, r.ownerConfig("one", t.TempDir()), r.owner())
	r.attempt = patience // nothing is lost here, so nobody needs to ask twice
	ctx, cancel := contextFor(t)
	defer cancel()
	var calls sync.WaitGroup
	gate := make(chan struct{})
	for c, caller := range r.callers {
		for n := range 200 {
			calls.Go(func() {
				<-gate
				o := order{id: fmt.Sprintf("caller-%d-%d", c, n), aggregate: fmt.Sprintf("acc-%d", n%50), events: 1}
				if err := r.insist(ctx, caller, o); err != nil {
					t.Errorf("%s: %v", o.id, err)
				}
			})
		}
	}
	close(gate)
	calls.Wait()
	r.report()
	for _, caller := range r.callers {
		if n := caller.Client().Waiting(); n != 0 {
			t.Errorf("%s still waits for %d outcomes", caller.Instance(), n)
		}
	}
	for _, call := range r.log.Calls() {
		if call.Attempts != 1 {
			t.Errorf("command %s took %d attempts", call.ID, call.Attempts)
		}
	}
	if n := len(r.log.Calls()); n != 600 {
		t.Errorf("%d answers, want 600", n)
	}
	r.verify()

	// A command that several ask for at the same time is answered to each of them.
	var receipts [3]muster.Receipt
	for c, caller := range r.callers {
		calls.Go(func() {
			_, err := r.add.Call(ctx, caller.Client(), "acc-0", appendix{Command: "shared", Events: 1}, muster.CommandID("shared"), muster.ReceiptTo(&receipts[c]))
			if err != nil {
				t.Errorf("%s: %v", caller.Instance(), err)
			}
		})
	}
	calls.Wait()
	fresh := 0
	for _, receipt := range receipts {
		if receipt.Revision != receipts[0].Revision || receipt.Position != receipts[0].Position {
			t.Errorf("receipts differ: %+v", receipts)
		}
		if !receipt.Repeated {
			fresh++
		}
	}
	if fresh == 0 { // more than one can be: callers that share a reply partition read the first one's reply
		t.Errorf("no caller was told that its command was the first: %+v", receipts)
	}
}
