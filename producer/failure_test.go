package producer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

// stall is well above what retries in these tests take and below the 5 s that a client with default settings waits for.
const stall = 4 * time.Second

func TestPassingErrorsAreRetriedQuickly(t *testing.T) {
	requests := map[string]kmsg.Key{"Produce": kmsg.Produce, "TxnOffsetCommit": kmsg.TxnOffsetCommit, "EndTxn": kmsg.EndTxn}
	for name, key := range requests {
		for _, code := range []*kerr.Error{kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
			t.Run(name+"/"+code.Message, func(t *testing.T) {
				b := newBed(t, 1)
				lane := b.open().Lane(0)
				b.warm(lane, 2)
				faults := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code, Count: 3})
				began := time.Now()
				want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2)), nil)
				took := time.Since(began)
				if faults.Hits() != 3 {
					t.Errorf("%d requests failed, want 3", faults.Hits())
				}
				if keys := b.keys("c1"); len(keys) != 2 {
					t.Errorf("visible: %v", keys)
				}
				t.Logf("%v", took)
				if took > stall {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}

func TestPassingErrorsOfOtherRequests(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.ConcurrentTransactions, kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
		t.Run("InitProducerID/"+code.Message, func(t *testing.T) {
			b := newBed(t, 1)
			faults := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.InitProducerID}, Err: code, Count: 6})
			began := time.Now()
			lane := b.open().Lane(0)
			want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
			if took := time.Since(began); faults.Hits() != 6 || took > stall {
				t.Errorf("%d requests failed, want 6; took %v", faults.Hits(), took)
			}
		})
		t.Run("OffsetCommit/"+code.Message, func(t *testing.T) {
			b := newBed(t, 1)
			lane := b.open().Lane(0)
			faults := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: code, Count: 3})
			began := time.Now()
			want(t, lane.Commit(t.Context(), &muster.Decision{Offsets: []muster.Progress{{Partition: 1, Next: 5}}}), nil)
			if took := time.Since(began); faults.Hits() != 3 || took > stall || b.consumed(1) != 5 {
				t.Errorf("%d requests failed, want 3; took %v; consumed up to %d", faults.Hits(), took, b.consumed(1))
			}
		})
	}
}

func TestRefusedClaimIsFenced(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID, kerr.StaleMemberEpoch, kerr.GroupIDNotFound} {
		t.Run(code.Message, func(t *testing.T) {
			b := newBed(t, 1)
			lane := b.open().Lane(0)
			b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit, kmsg.OffsetCommit}, Err: code, Count: 2})
			want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrFenced)
			want(t, lane.Commit(t.Context(), &muster.Decision{Offsets: []muster.Progress{{Partition: 1, Next: 5}}}), muster.ErrFenced)
			if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) || b.consumed(1) != -1 {
				t.Errorf("visible: %v; hidden: %v; consumed up to %d", keys, b.hidden(1), b.consumed(1))
			}
			want(t, lane.Commit(t.Context(), b.decide("c2", 1)), nil)
		})
	}
}

func TestRefusedClaimUnderANewGenerationIsDecidedAgain(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.claims.claim.Generation = 4
	b.claims.next = []kafka.Claim{{Group: consumerGroup, Generation: -1}}
	// Generation 4 of a group without members is refused by the broker itself.
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) {
		t.Errorf("visible: %v; hidden: %v", keys, b.hidden(1))
	}
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

func TestClaimThatIsNotGivenWritesNothing(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	produced := b.count(kmsg.Produce)
	b.claims.fail(muster.ErrFenced)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrFenced)
	b.claims.fail(errors.New("no member yet"))
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	if produced.Load() != 0 {
		t.Errorf("%d produce requests, want none", produced.Load())
	}
}

func TestFailedProduceAbortsTheBatch(t *testing.T) {
	for _, code := range []*kerr.Error{kerr.UnknownServerError, kerr.TopicAuthorizationFailed, kerr.TransactionAbortable} {
		t.Run(code.Message, func(t *testing.T) {
			b := newBed(t, 1)
			lane := b.open().Lane(0)
			b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Partitions: []int32{2}, Err: code})
			err := lane.Commit(t.Context(), b.decide("c1", 1, 2, 3))
			want(t, err, muster.ErrAborted)
			if fault, ok := errors.AsType[*muster.RecordFault](err); ok {
				t.Errorf("no record is at fault, but %v was blamed", fault)
			}
			if !errors.Is(err, code) {
				t.Errorf("the cause is lost: %v", err)
			}
			if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) || b.consumed(1) != -1 {
				t.Errorf("visible: %v; hidden: %v; consumed up to %d", keys, b.hidden(1), b.consumed(1))
			}
			want(t, lane.Commit(t.Context(), b.decide("c1", 1, 2, 3)), nil)
			if keys := b.keys("c1"); len(keys) != 3 {
				t.Errorf("visible: %v", keys)
			}
		})
	}
}

func TestFailedOffsetsAbortTheBatch(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.TxnOffsetCommit}, Err: kerr.GroupAuthorizationFailed})
	err := lane.Commit(t.Context(), b.decide("c1", 1))
	want(t, err, muster.ErrAborted)
	if muster.CodeOf(err) != muster.PermissionDenied || !strings.Contains(err.Error(), "accounts") {
		t.Errorf("error does not tell what is missing where: %v", err)
	}
	if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) {
		t.Errorf("visible: %v; hidden: %v", keys, b.hidden(1))
	}
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

// A slot whose id another producer took is aborted once, and takes the id back.
func TestLostIDIsTakenBack(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.warm(lane, 2)
	b.steal("accounts/one/0/0")
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil) // slot 1
	want(t, lane.Commit(t.Context(), b.decide("c2", 1)), nil) // slot 0 again
	if keys := b.keys("c1"); len(keys) != 1 {
		t.Errorf("visible: %v", keys)
	}
}

func TestLostIDsTwiceInARowAreFenced(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.warm(lane, 2)
	b.steal("accounts/one/0/0", "accounts/one/0/1")
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrFenced)
	if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) {
		t.Errorf("visible: %v; hidden: %v", keys, b.hidden(1))
	}
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

func TestLostIDAtEachRequest(t *testing.T) {
	for name, key := range map[string]kmsg.Key{"Produce": kmsg.Produce, "TxnOffsetCommit": kmsg.TxnOffsetCommit, "EndTxn": kmsg.EndTxn} {
		for _, code := range []*kerr.Error{kerr.ProducerFenced, kerr.InvalidProducerEpoch} {
			t.Run(name+"/"+code.Message, func(t *testing.T) {
				b := newBed(t, 1)
				lane := b.open().Lane(0)
				b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{key}, Err: code})
				want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
				if keys := b.keys("c1"); len(keys) != 0 || b.hidden(1) {
					t.Errorf("visible: %v; hidden: %v", keys, b.hidden(1))
				}
				want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
			})
		}
	}
}

// A broker forgets an id that was not used for days. That is no fencing, however many slots it befalls.
func TestForgottenIDsAreInitialisedAgain(t *testing.T) {
	b := newBed(t, 1)
	lane := b.open().Lane(0)
	b.warm(lane, 2)
	b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.InvalidProducerIDMapping, Count: 2})
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), muster.ErrAborted)
	want(t, lane.Commit(t.Context(), b.decide("c1", 1)), nil)
}

func TestOpenNamesEveryFault(t *testing.T) {
	_, err := producer.Open(t.Context(), producer.Config{Slots: -1, Lanes: 1_000, Instance: "a/b", TransactionTimeout: time.Hour})
	if err == nil {
		t.Fatal("opened")
	}
	for _, part := range []string{"Group", "Claims", "Instance", "Slots", "Lanes", "TransactionTimeout"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not named in: %v", part, err)
		}
	}
}

func TestOpenNeedsTheTopics(t *testing.T) {
	t.Parallel() // it waits most of the time
	b := newBed(t, 1)
	if err := b.cluster.DeleteTopic(b.group.DeadLetterTopic("")); err != nil {
		t.Fatal(err)
	}
	_, err := producer.Open(t.Context(), b.config())
	if muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), b.group.DeadLetterTopic("")) {
		t.Errorf("opened without the dead letter topic, or without naming it: %v", err)
	}
}
