package consumer_test

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
)

func TestALostMembershipIsAChange(t *testing.T) {
	c := startEmbedded(t, 2)
	for _, key := range c.keys() {
		c.send(key, 0, 3)
	}
	a := run(t, oneLane(c.config("a")))
	a.serveAll(2)
	eventually(t, "all is buffered", func() bool { return a.Buffered() == 6 })
	w := a.poll(0)

	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Heartbeat}, TopLevel: true, Err: kerr.UnknownMemberID})
	lost := a.change()
	if !slices.Equal(lost.Lost, []int32{0, 1}) || len(lost.Assigned)+len(lost.Revoked) > 0 {
		t.Fatalf("the change is %+v; want both partitions lost", lost)
	}
	if err := c.commit(within(t), a.Consumer, w.Commands); !errors.Is(err, muster.ErrFenced) {
		t.Fatalf("Claim of lost partitions gave %v; want ErrFenced", err)
	}
	w.Done(6)
	lost.Done()

	a.serveAll(2)
	eventually(t, "all is buffered again", func() bool { return a.Buffered() == 6 })
	if got := payloads(a.poll(0).Commands); !slices.Equal(got[0], numbers(0, 3)) || !slices.Equal(got[1], numbers(0, 3)) {
		t.Fatalf("after joining again %v came; want everything, for nothing was committed", got)
	}
}

// The group went on without the member, which learns of it at the next join only. kgo then joins again under a new id in one step. At that
// moment, before the join can give it a generation that the broker accepts, the member must have nothing to claim.
func TestAMembershipTakenUpInOneStepIsALoss(t *testing.T) {
	c := startEmbedded(t, 2)
	a := run(t, c.config("a"))
	a.serveAll(2)
	claim, err := a.Claim([]int32{0, 1})
	if err != nil {
		t.Fatal(err)
	}

	var claimed atomic.Bool
	joinsAs := func(member string) func(kmsg.Request) bool {
		return func(r kmsg.Request) bool { return r.(*kmsg.JoinGroupRequest).MemberID == member }
	}
	anew := joinsAs("")
	second := c.fake.Fault(
		kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Err: kerr.UnknownMemberID, When: joinsAs(claim.Member)},
		kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Observe: true, Count: -1, When: func(r kmsg.Request) bool {
			if instance := r.(*kmsg.JoinGroupRequest).InstanceID; !anew(r) || instance == nil || *instance != "a" {
				return false
			}
			if _, err := a.Claim([]int32{0}); err == nil {
				claimed.Store(true)
			}
			return true
		}},
	)
	b := run(t, c.config("b")) // makes the first one join again
	lost := a.change()
	if !slices.Equal(lost.Lost, []int32{0, 1}) {
		t.Fatalf("the change is %+v; want both partitions lost", lost)
	}
	lost.Done()
	if err := second.Wait(within(t), 2); err != nil {
		t.Fatal(err)
	}
	if claimed.Load() {
		t.Fatal("while the member joined under a new id, a partition of the old one could be claimed")
	}

	var back []int32
	for len(back) < 2 {
		select {
		case ch := <-a.Changes():
			ch.Done()
			back = append(back, ch.Assigned...)
		case ch := <-b.Changes():
			ch.Done()
			back = append(back, ch.Assigned...)
		case <-within(t).Done():
			t.Fatalf("only %v was assigned again", back)
		}
	}
}

func TestTheOlderOfTwoWithOneNameEnds(t *testing.T) {
	c := start(t, 1)
	config := c.config("a")
	config.Service = "bank"
	older := run(t, config)
	older.serveAll(1)
	younger := run(t, config)
	younger.serveAll(1)
	lost := older.change()
	if !slices.Equal(lost.Lost, []int32{0}) {
		t.Fatalf("the change is %+v; want the partition lost", lost)
	}
	lost.Done()
	<-older.done
	if !errors.Is(older.err, kerr.FencedInstanceID) || !strings.Contains(older.err.Error(), `"a"`) {
		t.Fatalf("Run of the older one gave %v; want an error that names the instance", older.err)
	}
	if _, err := younger.Claim([]int32{0}); err != nil {
		t.Fatal(err)
	}
}

func TestMembersAndLeave(t *testing.T) {
	c := start(t, 2)
	a, b, revoked := pair(t, c, c.config("a"))
	revoked.Done()
	b.change()
	names, err := a.Members(within(t))
	if err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Fatalf("members are %v, %v; want a and b", names, err)
	}
	if of, other := holds(t, a), holds(t, b); len(of) != 1 || !slices.Equal(other, revoked.Revoked) {
		t.Fatalf("the group says that they have %v and %v; want what was revoked, %v, with the second", of, other, revoked.Revoked)
	}
	if err := b.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	if names, err = a.Members(within(t)); err != nil || !slices.Equal(names, []string{"a"}) {
		t.Fatalf("members are %v, %v; want a only", names, err)
	}
	if got := a.change().Assigned; !slices.Equal(got, revoked.Revoked) {
		t.Fatalf("assigned after the other one left: %v; want %v", got, revoked.Revoked)
	}
	if of, other := holds(t, a), holds(t, b); !slices.Equal(of, []int32{0, 1}) || len(other) > 0 {
		t.Fatalf("the group says that they have %v and %v; want everything with the first", of, other)
	}
	if err := b.Leave(within(t)); err != nil {
		t.Fatalf("leaving twice: %v", err)
	}
	b.Close()
	b.Close()
}

func holds(t *testing.T, m *member) []int32 {
	t.Helper()
	held, err := m.Holds(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(held))
}
