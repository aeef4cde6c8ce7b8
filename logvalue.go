package muster

import (
	"fmt"
	"log/slog"
)

// LogValue is the fault without the aggregate's id: a log holds no keys.
func (f *FoldFault) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("%s: event %s, revision %d, cannot be folded: %v", f.Position, f.Type, f.Revision, f.Cause))
}

// LogValue is the fault without the aggregate's id: a log holds no keys.
func (f *StateFault) LogValue() slog.Value {
	return slog.StringValue(fmt.Sprintf("a stored state in partition %d cannot be read: %v", f.Partition, f.Cause))
}
