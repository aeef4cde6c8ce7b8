package muster

import "context"

// Tracer is told when a stage of a message's journey begins and ends. An adapter to OpenTelemetry takes some thirty lines; the documentation has
// one. Nil means off, and then nothing of it is in the way. Its methods are called by many goroutines at once and must not block.
type Tracer interface {
	// Start begins a span. Its parent is the span in ctx, where there is one, else s.Parent. The context it gives is what the stage's
	// own work gets: the handler, the middleware.
	Start(ctx context.Context, s SpanStart) (context.Context, Span)
}

// Span is one stage in the making.
type Span interface {
	// Context is what a child in another process continues from. It travels with the command, its events and its reply. The zero value
	// leaves the trace context of the message as it is.
	Context() TraceContext
	// End is called once, with why the stage did not succeed; a refusal is an error, too.
	End(err error)
}

// TraceContext is W3C's trace context, as the headers traceparent and tracestate carry it.
type TraceContext struct{ Parent, State string }

// SpanStart says what a span is of. None of it is a payload or an aggregate id.
type SpanStart struct {
	Stage     Stage
	Group     string
	Partition int32  // -1 where it is not known yet, or there are several
	Type      string // of the message; empty with the stages of a batch
	CommandID string // likewise
	Count     int    // commands, or replies: 1 but for the stages of a batch

	Parent TraceContext   // of the message; zero with the stages of a batch
	Links  []TraceContext // with the stages of a batch: of its commands that have one
}

// Trace gives the trace context of the message.
func (m *Meta) Trace() TraceContext { return TraceContext{Parent: m.TraceParent, State: m.TraceState} }

func (m *Meta) setTrace(t TraceContext) {
	if t != (TraceContext{}) {
		m.TraceParent, m.TraceState = t.Parent, t.State
	}
}
