package producer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/kafka"
)

// healPatience is how long an id waits for partitions without a leader, in which its last transaction may hang: those of an only broker that
// was started again have one after seconds, others must not keep the group from working for ever.
const healPatience = 10 * time.Second

// initialise gives the transactional id a new epoch, whatever the present one is. After nil, no earlier transaction of the id is open: one
// that was undecided is aborted, one that was being committed is committed, and requests of its earlier holders are refused. The broker
// answers CONCURRENT_TRANSACTIONS while it aborts or finishes, so this waits; ctx bounds it. What the id has left hanging is ended before
// the coordinator forgets how; see heal.
func (p *Producer) initialise(ctx context.Context, id string) error {
	var refused time.Time // when a broker first answered that it cannot tell what is open
	err := patiently(ctx, func() error {
		err := p.heal(ctx, id) // at every try: what was open may have been aborted by the try before
		if answer, is := errors.AsType[*kerr.Error](err); is && !errors.Is(answer, kerr.ConcurrentTransactions) {
			if refused.IsZero() {
				refused = time.Now()
			}
			if judge(err) != verdictRetry || time.Since(refused) > healPatience {
				p.log.Error("the id is initialised without knowing whether it left a transaction hanging", "id", id, "error", err)
				err = nil
			}
		}
		if err != nil {
			return err
		}
		_, _, err = p.newEpoch(ctx, id)
		return err
	})
	if err != nil {
		return p.cfg.Kafka.Map(fmt.Sprintf("initialise transactional id %s", id), err, kafka.On(kafka.TransactionalResource, id, "Write")...)
	}
	return nil
}

// newEpoch asks once for a new epoch of the id.
func (p *Producer) newEpoch(ctx context.Context, id string) (producer int64, epoch int16, err error) {
	req := kmsg.NewPtrInitProducerIDRequest()
	req.TransactionalID = &id
	req.TransactionTimeoutMillis = int32(p.cfg.transactionTimeout().Milliseconds())
	req.ProducerID, req.ProducerEpoch = -1, -1
	resp, err := req.RequestWith(ctx, p.admin)
	if err != nil {
		return 0, 0, err
	}
	return resp.ProducerID, resp.ProducerEpoch, kerr.ErrorForCode(resp.ErrorCode)
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
