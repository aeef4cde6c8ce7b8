package service

import "context"

// sweep ends what dead instances have left open in the command topics of other groups. It runs beside the recovery of partitions that were
// taken over, and gives up when it is not needed any more or has failed a few times: the broker ends those transactions, too, only later.
func (o *owner) sweep(ctx context.Context) {
	again := pause{}
	for range 10 {
		err := o.fenceDead(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		o.log.Warn("cannot look for transactions of dead instances, trying again", "group", o.group.Name(), "error", err)
		if !again.wait(ctx) {
			return
		}
	}
}

// fenceDead ends all transactions of dead instances, those that have left nothing in the journal to be found by, too.
func (o *owner) fenceDead(ctx context.Context) error {
	members, err := o.consumer.Members(ctx)
	if err != nil {
		return err
	}
	fenced, err := o.producer.FenceDead(ctx, members)
	o.ended(fenced)
	return err
}

// ended reports the transactions of dead instances that were ended here; where says more of the place they held up.
func (o *owner) ended(ids []string, where ...any) {
	for _, id := range ids {
		o.metrics.fenced.WithLabelValues(o.group.Name()).Inc()
		o.log.With(where...).Warn("ended a dead instance's transaction", "group", o.group.Name(), "transactional_id", id)
	}
}
