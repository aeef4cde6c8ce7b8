package service

import "context"

// sweep ends what dead instances have left open in the command topics of other groups. It runs beside the recovery of partitions that were
// taken over, and gives up when it is not needed any more or has failed a few times: the broker ends those transactions, too, only later.
func (o *owner) sweep(ctx context.Context) {
	again := pause{}
	for range 10 {
		members, err := o.consumer.Members(ctx)
		if err == nil {
			var fenced []string
			fenced, err = o.producer.FenceDead(ctx, members)
			for _, id := range fenced {
				o.metrics.fenced.WithLabelValues(o.group.Name()).Inc()
				o.log.Warn("ended a dead instance's transaction", "group", o.group.Name(), "transactional_id", id)
			}
		}
		if err == nil || ctx.Err() != nil {
			return
		}
		o.log.Warn("cannot look for transactions of dead instances, trying again", "group", o.group.Name(), "error", err)
		if !again.wait(ctx) {
			return
		}
	}
}
