package consumer_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
)

// Members join and leave while commands keep coming; what is committed is everything, once, in order.
func TestRebalancesUnderLoadLoseAndRepeatNothing(t *testing.T) {
	const partitions, rounds = 6, 3
	c := start(t, partitions)
	keys, into, sent := c.keys(), newLedger(), 0
	loadUntil := func(what string, holds func() bool) {
		eventually(t, what, func() bool {
			for _, key := range keys {
				c.send(key, sent, 5)
			}
			sent += 5
			return holds()
		})
	}
	a := c.work(t, c.config("a"), into)
	for range rounds {
		loadUntil("the first member holds everything", func() bool { return into.owned("a") == partitions })
		b := c.work(t, c.config("b"), into)
		loadUntil("the second member has its share", func() bool { return into.owned("b") == partitions/2 })
		b.finish()
		if err := b.Leave(within(t)); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "all is handled", func() bool { return into.total() >= sent*partitions })
	a.finish()
	into.whole(t, sent)
}

// pair gives two members of which the second one has just joined, and the revocation that the first one has not settled yet.
func pair(t *testing.T, c *cluster, config consumer.Config) (a, b *member, revoked consumer.Change) {
	t.Helper()
	a = run(t, config)
	a.serveAll(int(c.group.Partitions()))
	config.Instance = "b"
	b = run(t, config)
	revoked = a.change()
	if len(revoked.Revoked) == 0 {
		t.Fatalf("the first change after a member joined is %+v; want a revocation", revoked)
	}
	return a, b, revoked
}

func TestARevocationWaitsForDone(t *testing.T) {
	c := start(t, 2)
	for _, key := range c.keys() {
		c.send(key, 0, 10)
	}
	config := oneLane(c.config("a"))
	a := run(t, config)
	a.serveAll(2)
	eventually(t, "all is buffered", func() bool { return a.Buffered() == 20 })
	w := a.poll(0)

	config.Instance = "b"
	b := run(t, config)
	revoked := a.change()
	if len(revoked.Revoked) != 1 {
		t.Fatalf("revoked: %v; want one of two partitions", revoked.Revoked)
	}
	gone := revoked.Revoked[0]
	if err := c.commit(within(t), a.Consumer, w.Commands); err != nil {
		t.Fatalf("the Work in hand cannot be committed during the revocation: %v", err)
	}
	w.Done(15) // the last five, of whichever partition, would come again
	select {
	case ch := <-b.Changes():
		if len(ch.Assigned) > 0 {
			t.Fatalf("the other member was assigned %v before Done", ch.Assigned)
		}
	default:
	}
	c.send(c.keys()[gone], 10, 5)
	revoked.Done()
	revoked.Done()

	ch := b.change()
	if !slices.Equal(ch.Assigned, revoked.Revoked) {
		t.Fatalf("assigned to the other member: %v; want %v", ch.Assigned, revoked.Revoked)
	}
	if _, err := a.Claim([]int32{gone}); !errors.Is(err, muster.ErrFenced) {
		t.Fatalf("Claim of a partition that has gone gave %v; want ErrFenced", err)
	}
	if _, err := a.Claim([]int32{1 - gone}); err != nil {
		t.Fatalf("Claim of the partition that has stayed: %v", err)
	}
	ch.Serve(gone)
	if got := payloads(b.poll(0).Commands); !slices.Equal(got[gone], numbers(10, 5)) {
		t.Fatalf("the new owner got %v; want what was not committed only", got)
	}
}

func TestARevokedPartitionIsNotHandedOut(t *testing.T) {
	c := start(t, 2)
	a, _, revoked := pair(t, c, oneLane(c.config("a")))
	gone := revoked.Revoked[0]
	keys := c.keys()
	c.send(keys[gone], 0, 5)
	c.send(keys[1-gone], 0, 5)
	revoked.Done()
	w := a.poll(0)
	if got := payloads(w.Commands); len(got[gone]) != 0 {
		t.Fatalf("%d commands of a revoked partition were handed out", len(got[gone]))
	}
}

func TestARevocationGoesOnWithoutDone(t *testing.T) {
	c := start(t, 2)
	config := c.config("a")
	config.RevokeTimeout = 50 * time.Millisecond
	a, b, revoked := pair(t, c, config)
	if ch := b.change(); !slices.Equal(ch.Assigned, revoked.Revoked) {
		t.Fatalf("assigned: %v; want %v", ch.Assigned, revoked.Revoked)
	}
	if _, err := a.Claim(revoked.Revoked); !errors.Is(err, muster.ErrFenced) {
		t.Fatalf("Claim gave %v; want ErrFenced", err)
	}
}

// A partition goes and comes back while a Work of its first ownership is in hand and a recovery of it is under way: neither touches the
// second ownership.
func TestAnEarlierOwnershipHasNoSayInALaterOne(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	config := oneLane(c.config("a"))
	a := run(t, config)
	first := a.change()
	first.Serve(0)
	first.Serve(1)
	c.send(keys[0], 0, 10)
	c.send(keys[1], 0, 10)
	eventually(t, "all is buffered", func() bool { return a.Buffered() == 20 })
	w := a.poll(0)

	config.Instance = "b"
	b := run(t, config)
	revoked := a.change()
	gone := revoked.Revoked[0]
	revoked.Done()
	b.change()
	b.stop()
	<-b.done
	if err := b.Leave(within(t)); err != nil {
		t.Fatal(err)
	}
	back := a.change()
	if !slices.Equal(back.Assigned, []int32{gone}) {
		t.Fatalf("assigned: %v; want %d back", back.Assigned, gone)
	}
	if w.Current() {
		t.Fatal("a Work of an ownership that has ended says it is current")
	}
	w.Done(20)        // nothing of it was committed
	first.Serve(gone) // late
	c.send(keys[1-gone], 10, 1)
	if got := payloads(a.poll(0).Commands); len(got[gone]) > 0 {
		t.Fatalf("the late Serve of the first ownership opened the second: %v", got)
	}
	eventually(t, "all is buffered again", func() bool { return a.Buffered() == 11 })
	back.Serve(gone)
	if got := payloads(a.poll(0).Commands); !slices.Equal(got[gone], numbers(0, 10)) {
		t.Fatalf("the second ownership began with %v; want everything, for nothing was committed", got)
	}
}

func TestAMemberWithoutPartitionsHearsThat(t *testing.T) {
	c := start(t, 1)
	a := run(t, c.config("a"))
	a.serveAll(1)
	b := run(t, c.config("b"))
	select {
	case ch := <-b.Changes():
		if len(ch.Assigned)+len(ch.Revoked)+len(ch.Lost) > 0 {
			t.Fatalf("the second of two members got %+v of one partition", ch)
		}
		ch.Done()
	case <-time.After(patience):
		t.Fatal("a member that got nothing was never told")
	}
}

func TestAHeldPartitionIsNotHandedOut(t *testing.T) {
	c := start(t, 2)
	keys := c.keys()
	m := run(t, oneLane(c.config("a")))
	m.serveAll(2)
	m.Hold(0)
	c.send(keys[0], 0, 3)
	eventually(t, "the held partition is buffered", func() bool { return m.Buffered() == 3 })
	c.send(keys[1], 0, 1)
	w := m.poll(0)
	if got := payloads(w.Commands); len(got[0]) > 0 || !slices.Equal(w.Partitions(), []int32{1}) {
		t.Fatalf("handed out: %v of partitions %v", got, w.Partitions())
	}
	m.Serve(0)
	if got := m.poll(0).Partitions(); !slices.Equal(got, []int32{0}) {
		t.Fatalf("handed out after Serve: %v", got)
	}
}

func TestARestartInsideTheSessionMovesNothing(t *testing.T) {
	c := start(t, 4)
	a, b, revoked := pair(t, c, c.config("a"))
	revoked.Done()
	taken := b.change().Assigned
	a.stop()
	<-a.done
	again := run(t, c.config("a"))
	if got := again.change().Assigned; len(got) != 4-len(taken) || slices.ContainsFunc(got, func(p int32) bool { return slices.Contains(taken, p) }) {
		t.Fatalf("after the restart %v was assigned; the other one holds %v", got, taken)
	}
	if _, err := b.Claim(taken); err != nil {
		t.Fatal(err)
	}
}
