package producer

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/kafka"
)

// initialise gives the transactional id a new epoch, whatever the present one is. After nil, no earlier transaction of the id is open: one
// that was undecided is aborted, one that was being committed is committed, and requests of its earlier holders are refused. The broker
// answers CONCURRENT_TRANSACTIONS while it aborts or finishes, so this waits; ctx bounds it.
func (p *Producer) initialise(ctx context.Context, id string) error {
	err := patiently(ctx, func() error {
		req := kmsg.NewPtrInitProducerIDRequest()
		req.TransactionalID = &id
		req.TransactionTimeoutMillis = int32(p.cfg.transactionTimeout().Milliseconds())
		req.ProducerID, req.ProducerEpoch = -1, -1
		resp, err := req.RequestWith(ctx, p.admin)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
	if err != nil {
		return p.cfg.Kafka.Map(fmt.Sprintf("initialise transactional id %s", id), err, kafka.On(kafka.TransactionalResource, id, "Write")...)
	}
	return nil
}

// patiently asks again until the answer is good, is final or ctx ends.
func patiently(ctx context.Context, ask func() error) error {
	for tries := 1; ; tries++ {
		err := ask()
		if err == nil || judge(err) != verdictRetry {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
		wait := time.NewTimer(pause(tries))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return fmt.Errorf("%w; last: %w", context.Cause(ctx), err)
		}
	}
}
