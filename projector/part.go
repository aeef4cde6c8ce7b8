package projector

import (
	"context"
	"log/slog"

	"github.com/seed-3eec0498/muster"
)

// Part is a projection as service.Open takes it: a [View], whose rows go to the service's view store, or a [Targeted] one.
type Part interface {
	// Definition gives what the projection is.
	Definition() *Definition
}

// Targeted is a part that brings a target of its own.
type Targeted interface {
	Part
	// Target opens or checks the place where the results go, and makes what it needs there. It is called once, when the service opens, and its
	// error ends that. Where the target has a method Close() error, the service calls it when its runners have ended.
	Target(ctx context.Context, host Host) (Target, error)
}

// Host tells a part where it runs.
type Host struct {
	Service  string // all instances of it share a target
	Instance string // of this process
	Prefix   string // of the topics: a tenant or a stage. Targets that several stages share put it into their keys
	Codec    muster.Codec
	Logger   *slog.Logger // never nil
}
