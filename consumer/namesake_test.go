package consumer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/consumer"
)

// firstJoin gives the first join that an instance sends, as the network would deliver it once more.
func (c *cluster) firstJoin(instance string) func() *kmsg.JoinGroupRequest {
	seen := make(chan *kmsg.JoinGroupRequest, 1)
	c.fake.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.JoinGroup}, TopLevel: true, Observe: true, Count: 1, When: func(r kmsg.Request) bool {
		join := r.(*kmsg.JoinGroupRequest)
		if join.MemberID != "" || join.InstanceID == nil || *join.InstanceID != instance {
			return false
		}
		again := *join
		again.Protocols = slices.Clone(join.Protocols)
		select {
		case seen <- &again:
		default:
		}
		return true
	}})
	return func() *kmsg.JoinGroupRequest {
		select {
		case join := <-seen:
			return join
		case <-within(c.t).Done():
			c.t.Fatal("no join was seen")
			return nil
		}
	}
}

// deliver sends a join as somebody who never hears the answer.
func (c *cluster) deliver(join *kmsg.JoinGroupRequest) {
	c.t.Helper()
	cl, err := c.kafka.Client()
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(cl.Close)
	go cl.Request(within(c.t), join) //nolint:errcheck // its answer is nobody's
}

// A join that was held up in the network and arrives when its sender has joined already takes the place of that one. It is no other process: the
// member joins again and goes on.
func TestAJoinThatArrivesLateIsNoOtherProcess(t *testing.T) {
	c := startEmbedded(t, 2)
	late := c.firstJoin("a")
	config := c.config("a")
	config.Service = "bank"
	a := run(t, config)
	a.serveAll(2)
	c.deliver(late())

	lost := a.change()
	if !slices.Equal(lost.Lost, []int32{0, 1}) {
		t.Fatalf("the change is %+v; want both partitions lost", lost)
	}
	lost.Done()
	a.serveAll(2)
	if _, err := a.Claim([]int32{0, 1}); err != nil {
		t.Fatal(err)
	}
}

// The same of a member that shares partitions.
func TestASharerGoesOnBehindItsOwnLateJoin(t *testing.T) {
	c := startEmbedded(t, 4)
	late := c.firstJoin("a")
	s := &shares{t: t, holder: map[int32]string{}}
	a := s.share(c.sharing("a"), 0)
	until(t, "it has all", func() bool { return s.count("a") == 4 })
	c.deliver(late())
	until(t, "it has lost all", func() bool { return s.givenUp() >= 4 })
	until(t, "it has all again", func() bool { return s.count("a") == 4 })
	if err := a.ended(); err != nil {
		t.Error(err)
	}
}

// Of two processes with one name the older one ends, with an error that says so.
func TestTheOlderOfTwoSharersWithOneNameEnds(t *testing.T) {
	c := start(t, 2)
	s, other := &shares{t: t, holder: map[int32]string{}}, &shares{t: t, holder: map[int32]string{}}
	a := s.share(c.sharing("a"), 0)
	until(t, "the older one has all", func() bool { return s.count("a") == 2 })
	other.share(c.sharing("a"), 0)
	until(t, "the younger one has all", func() bool { return other.count("a") == 2 })
	select {
	case err := <-a.done:
		if !errors.Is(err, kerr.FencedInstanceID) || !strings.Contains(err.Error(), `"a"`) {
			t.Errorf("the older one ended with %v", err)
		}
	case <-within(t).Done():
		t.Error("the older one goes on")
	}
}

// A member that is fenced again and again by who shows no badge gives the name up: two that take it from each other would never end.
func TestAMemberGivesUpItsNameInTheEnd(t *testing.T) {
	if got := consumer.OtherProcess(4); !slices.Equal(got, []bool{false, false, true, true}) {
		t.Errorf("believes in another process: %v; want at the third time", got)
	}
}
