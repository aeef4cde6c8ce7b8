package service

import (
	"context"

	"github.com/seed-3eec0498/muster"
)

// span begins the span of one stage of a batch; what it gives ends it. It names the commands' own spans as links: a batch has no one parent.
func (o *owner) span(ctx context.Context, stage muster.Stage, cmds []muster.Command) func(error) {
	if o.cfg.Tracer == nil {
		return untraced
	}
	s := muster.SpanStart{Stage: stage, Group: o.group.Name(), Partition: -1, Count: len(cmds)}
	for i := range cmds {
		if t := cmds[i].Trace(); t != (muster.TraceContext{}) {
			s.Links = append(s.Links, t)
		}
	}
	_, span := o.cfg.Tracer.Start(ctx, s)
	return span.End
}

func untraced(error) {}
