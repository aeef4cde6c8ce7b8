package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
)

func TestMapSaysWhatToDo(t *testing.T) {
	dial := &net.OpError{Op: "dial", Err: errors.New("connection refused")}
	for _, row := range []struct {
		err   error
		code  muster.Code
		retry bool
		says  string
	}{
		{kerr.NotLeaderForPartition, muster.Unavailable, true, ""},
		{kerr.CoordinatorLoadInProgress, muster.Unavailable, true, ""},
		{fmt.Errorf("deep: %w", kerr.TopicAuthorizationFailed), muster.PermissionDenied, false, "kafka-acls.sh"},
		{kerr.TransactionalIDAuthorizationFailed, muster.PermissionDenied, false, "kafka-acls.sh"},
		{kerr.SaslAuthenticationFailed, muster.Unauthenticated, false, "password"},
		{kerr.MessageTooLarge, muster.InvalidArgument, false, "max.message.bytes"},
		{kerr.UnknownTopicOrPartition, muster.FailedPrecondition, true, "prefix"},
		{kerr.UnknownTopicID, muster.FailedPrecondition, false, "created again"},
		{kerr.UnsupportedVersion, muster.FailedPrecondition, false, "4.0"},
		{kerr.InvalidReplicationFactor, muster.Unavailable, true, "too few brokers"},
		{kerr.PolicyViolation, muster.FailedPrecondition, false, "policy"},
		{kerr.InvalidConfig, muster.Internal, false, "INVALID_CONFIG"},
		{kgo.ErrRecordTimeout, muster.Unavailable, true, ""},
		{dial, muster.Unavailable, true, "is the address right"},
		{errors.Join(dial, context.DeadlineExceeded), muster.Unavailable, true, "is the address right"},
		{io.ErrUnexpectedEOF, muster.Unavailable, true, "is the address right"},
		{context.Canceled, muster.Cancelled, false, ""},
		{context.DeadlineExceeded, muster.DeadlineExceeded, true, "reachable"},
		{errors.New("odd"), muster.Internal, false, "odd"},
	} {
		got := kafka.Map("write accounts.events[3]", row.err)
		typed, is := errors.AsType[*muster.Error](got)
		if !is || typed.Code != row.code || typed.Retry != row.retry {
			t.Errorf("%v became %+v", row.err, typed)
		}
		if !errors.Is(got, row.err) {
			t.Errorf("%v is not found in %v", row.err, got)
		}
		if text := got.Error(); !strings.Contains(text, row.says) || !strings.Contains(text, "write accounts.events[3]: "+row.err.Error()) {
			t.Errorf("%q does not say %q", text, row.says)
		}
	}
}

func TestMapLeavesAlone(t *testing.T) {
	if err := kafka.Map("op", nil); err != nil {
		t.Errorf("nil became %v", err)
	}
	known := muster.Errorf(muster.NotFound, "no")
	if err := kafka.Map("op", known); err != known { //nolint:errorlint // it must be the very same value
		t.Errorf("%v became %v", known, err)
	}
}

func TestClosedClientMeansShuttingDown(t *testing.T) {
	err := kafka.Map("op", kgo.ErrClientClosed)
	if muster.CodeOf(err) != muster.Unavailable || !errors.Is(err, muster.ErrShuttingDown) || !errors.Is(err, kgo.ErrClientClosed) {
		t.Errorf("%v", err)
	}
}
