package producer

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrClosed is found in the error of a call on a closed producer or sender.
var ErrClosed = fmt.Errorf("producer is closed: %w", kgo.ErrClientClosed)

// verdict is what an error of a transactional request means for the transaction.
type verdict uint8

const (
	verdictRetry   verdict = iota // passing: the same request may be sent again
	verdictClaim                  // the consumer group knows another member or generation: somebody else may own the partitions
	verdictEpoch                  // the transactional id has a newer epoch: another producer uses it, or the broker timed the transaction out
	verdictRefuse                 // the broker does not take this; the transaction must be aborted
	verdictLate                   // the time for the commit is over, before EndTxn was sent
	verdictUnknown                // EndTxn was sent and not answered: committed or not, nobody can tell yet
)

// judge classifies the error of a produce, TxnOffsetCommit, OffsetCommit or InitProducerID request. It cannot tell whether the time is over:
// a dial that timed out looks like the end of a context. Callers ask their own context.
//
// TRANSACTION_ABORTABLE (KIP-890) and everything not named here is a refusal: aborting is always safe. UNKNOWN_SERVER_ERROR is one too, as
// the broker answers it when its disk is full.
func judge(err error) verdict {
	known, ok := errors.AsType[*kerr.Error](err)
	if !ok {
		if errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, kgo.ErrMaxBuffered) || errors.Is(err, kgo.ErrAborting) {
			return verdictRefuse
		}
		return verdictRetry // the way to the broker, not its answer
	}
	switch known.Code {
	case kerr.IllegalGeneration.Code, kerr.UnknownMemberID.Code, kerr.FencedInstanceID.Code, kerr.StaleMemberEpoch.Code,
		kerr.FencedMemberEpoch.Code, kerr.GroupIDNotFound.Code:
		return verdictClaim
	case kerr.ProducerFenced.Code, kerr.InvalidProducerEpoch.Code, kerr.InvalidProducerIDMapping.Code, kerr.UnknownProducerID.Code,
		kerr.InvalidTxnState.Code, kerr.OutOfOrderSequenceNumber.Code:
		return verdictEpoch
	case kerr.ConcurrentTransactions.Code, kerr.RebalanceInProgress.Code:
		return verdictRetry
	case kerr.UnknownTopicID.Code, kerr.InvalidRecord.Code:
		return verdictRefuse
	}
	if known.Retriable {
		return verdictRetry
	}
	return verdictRefuse
}

// takenOver tells whether the id was lost to another producer, as opposed to one that the broker has forgotten (transactional.id.expiration.ms)
// or whose state does not fit.
func takenOver(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch)
}

// recordFault tells whether the broker refuses the record itself, rather than the topic, the writer or the moment. An authorization that is
// missing is no fault of a record: refusing command after command would not mend it.
func recordFault(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) ||
		errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp)
}
