package projector

import "context"

// Membership shares the shards of a projection among the instances that run it. The service implements it with a Kafka consumer group.
type Membership interface {
	// Run takes part until ctx ends or the membership cannot go on. gain is called with shards that are now this instance's; lose with shards that
	// go to another instance: it returns when they are released, within a bounded time, and only then does the other one get them. Both are
	// called by one goroutine, one at a time. Everything still held is lost before Run returns.
	Run(ctx context.Context, gain, lose func(ctx context.Context, shards []int32)) error
	// Placement tells which instance holds each shard now, with the address it advertises; also where this instance is no member.
	Placement(ctx context.Context) (map[int32]Instance, error)
}

// Instance is a process that runs a projection.
type Instance struct {
	Name    string
	Address string // base URL of its query service; empty when it has none
}
