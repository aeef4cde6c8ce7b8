// Package seam is where a simulation puts its own machine in place of the real one: the disk a process keeps its state on, and its wall
// clock. It travels in the context that a service is opened with, so that no setting of a program can reach it.
package seam

import (
	"context"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Machine is what a process stands on.
type Machine struct {
	FS  vfs.FS           // holds the local stores; nil means the machine's own disk
	Now func() time.Time // nil means time.Now
}

type key struct{}

// With has whatever is opened with the context stand on m.
func With(ctx context.Context, m Machine) context.Context { return context.WithValue(ctx, key{}, m) }

// Of gives the machine of a context, which is the real one where nobody said otherwise.
func Of(ctx context.Context) Machine {
	m, _ := ctx.Value(key{}).(Machine)
	if m.Now == nil {
		m.Now = time.Now
	}
	return m
}
