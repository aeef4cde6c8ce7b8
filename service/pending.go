package service

import "context"

// endPending ends the transactions of dead instances that hold up the group's offsets and have left nothing in the journal to be found by.
func (o *owner) endPending(ctx context.Context) {
	members, err := o.consumer.Members(ctx)
	if err != nil {
		o.log.Warn("cannot tell who is in the group", "group", o.group.Name(), "error", err)
		return
	}
	fenced, err := o.producer.FenceDead(ctx, members)
	if err != nil {
		o.log.Warn("cannot fence leftovers", "group", o.group.Name(), "error", err)
	}
	for _, id := range fenced {
		o.metrics.fenced.WithLabelValues(o.group.Name()).Inc()
		o.log.Warn("ended a dead instance's transaction", "group", o.group.Name(), "transactional_id", id)
	}
}
