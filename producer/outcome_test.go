package producer_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/producer"
)

// impatient is for tests in which that time passes, which run beside each other. A busy machine commits within it.
func impatient(c *producer.Config) { c.TransactionTimeout = 2 * time.Second }

// One lost answer is asked for again; the broker knows the repetition by its epoch.
func TestLostEndAnswerIsAskedForAgain(t *testing.T) {
	for name, applied := range map[string]bool{"carried out": true, "not carried out": false} {
		t.Run(name, func(t *testing.T) {
			b := newBed(t, 1)
			lane := b.open().Lane(0)
			b.tap.Arm(kmsg.EndTxn, 1, applied)
			want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2)), nil)
			if keys := b.keys("c1"); len(keys) != 2 || b.tap.Losses() != 1 {
				t.Errorf("visible: %v; answers lost: %d", keys, b.tap.Losses())
			}
			want(t, lane.Commit(t.Context(), b.decide("c2", 1)), nil)
		})
	}
}

// When the answer never comes, the outcome is unknown, and the id is settled before Commit returns: what was committed is visible, what was
// not is aborted, nothing stays undecided.
func TestEndAnswerThatNeverComes(t *testing.T) {
	t.Parallel()
	for name, applied := range map[string]bool{"carried out": true, "not carried out": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, 1)
			lane := b.open(impatient).Lane(0)
			b.warm(lane, 2)
			b.tap.Arm(kmsg.EndTxn, 1_000_000, applied)
			d := b.decide("c1", 1, 2)
			want(t, lane.Commit(t.Context(), d), muster.ErrUnknown)
			if b.hidden(1) || b.hidden(2) {
				t.Error("the transaction is still undecided")
			}
			keys, consumed := b.keys("c1"), b.consumed(1)
			if applied && (len(keys) != 2 || consumed != 1) || !applied && (len(keys) != 0 || consumed != -1) {
				t.Errorf("visible: %v; consumed up to %d", keys, consumed)
			}
			visible := b.committed(b.group.JournalTopic(""))
			for _, e := range d.Events { // who finds out that it was committed goes on with these
				if there := slices.ContainsFunc(visible, func(r *kgoRecord) bool {
					return string(r.Key) == e.AggregateID+"/"+strconv.FormatUint(e.Revision, 10) && r.Topic == e.Topic && r.Partition == e.Partition && r.Offset == e.Offset
				}); there != applied {
					t.Errorf("event %s at %v: found there %v, want %v", e.ID, e.Position(), there, applied)
				}
			}
			b.tap.Mend()
			for range 3 { // all slots work
				want(t, lane.Commit(t.Context(), b.decide("c2", 1)), nil)
			}
		})
	}
}

// The first EndTxn may have been carried out before another producer took the id: a refusal of the second one proves nothing.
func TestFencedRepetitionOfALostEndIsUnknown(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.warm(lane, 2)
	b.tap.Arm(kmsg.EndTxn, 1, true)
	seen := 0
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.ProducerFenced, When: func(kmsg.Request) bool {
		seen++
		return seen == 2
	}})
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrUnknown)
	if keys := b.keys("c1"); len(keys) != 1 {
		t.Errorf("visible: %v; the first EndTxn was carried out", keys)
	}
	want(t, lane.Commit(t.Context(), b.decide("c2", 1)), nil)
}

func TestServerErrorAtTheEndIsUnknown(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.EndTxn}, Err: kerr.UnknownServerError})
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrUnknown)
	if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) || b.consumed(1) != -1 {
		t.Errorf("visible: %v; hidden: %v; consumed up to %d", keys, b.hidden(1), b.consumed(1))
	}
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

// Nobody answers from the named point on: nothing is promised, and the next commit settles first.
func TestUnreachableBroker(t *testing.T) {
	t.Parallel() // it waits most of the time
	for _, point := range []string{producer.PointAfterFirstProduce, producer.PointAfterProduce, producer.PointAfterOffsets} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, 1)
			armed := false
			lane := b.open(impatient, func(c *producer.Config) {
				c.Failpoint = func(at string) {
					if armed && at == point {
						armed = false
						b.tap.Sever()
					}
				}
			}).Lane(0)
			b.warm(lane, 2)
			armed = true
			began := time.Now()
			err := lane.Commit(t.Context(), b.decide("c1", 1, 2))
			if point == producer.PointAfterOffsets && errors.Is(err, muster.ErrUnknown) {
				err = muster.ErrAborted // whether EndTxn was leaving when the time was over cannot always be told
			}
			want(t, err, muster.ErrAborted)
			if took := time.Since(began); took > 30*time.Second {
				t.Errorf("gave up after %v", took)
			}
			want(t, lane.Commit(t.Context(), b.decide("c2", 1)), muster.ErrAborted)
			short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := lane.Settle(short); err == nil {
				t.Error("settled without a broker")
			}
			b.tap.Mend()
			if err := lane.Settle(t.Context()); err != nil || b.hidden(1) {
				t.Errorf("not settled: %v", err)
			}
			if keys := b.keys("c1"); len(keys) != 0 {
				t.Errorf("visible: %v", keys)
			}
			want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2)), nil)
			if keys := b.keys("c1"); len(keys) != 2 {
				t.Errorf("visible: %v", keys)
			}
		})
	}
}

func TestBrokerUnreachableBeforeTheFirstCommit(t *testing.T) {
	t.Parallel()
	b := newBed(t, 1)
	lane := b.open(impatient).Lane(0)
	b.tap.Sever()
	err := lane.Commit(t.Context(), b.decide("c1", 1))
	want(t, err, muster.ErrAborted)
	if errors.Is(err, producer.ErrClosed) {
		t.Errorf("error: %v", err)
	}
	b.tap.Mend()
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

// The context of a caller that leaves does not tear a commit.
func TestCommitOutlivesItsContext(t *testing.T) {
	b := newBed(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	lane := b.open(func(c *producer.Config) {
		c.Failpoint = func(point string) {
			if point == producer.PointAfterProduce {
				cancel()
			}
		}
	}).Lane(0)
	want(t, lane.Commit(ctx, b.decide("c1", 1)), nil)
	if keys := b.keys("c1"); len(keys) != 1 {
		t.Errorf("visible: %v", keys)
	}
}
