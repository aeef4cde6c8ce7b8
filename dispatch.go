package muster

import (
	"context"
	"errors"
	"fmt"
)

// callAround is Call with tracer and middleware around it.
func (c *Client) callAround(ctx context.Context, g *Group, cmd *Command, onStep func(*Step) bool) (outcome *Outcome, err error) {
	ctx, end := c.span(ctx, StageCall, g, cmd)
	defer func() {
		if err == nil {
			end(outcome.Err())
			return
		}
		end(err)
	}()
	if c.chain == nil {
		return c.exchange(ctx, g, cmd, onStep)
	}
	var answer *Outcome
	var refusal error
	call := &Invocation{Stage: StageCall, Group: g, Command: cmd}
	sent := false
	call.write = func(ctx context.Context) (*Outcome, error) {
		sent = true
		out, err := c.exchange(ctx, g, cmd, onStep)
		if err != nil {
			return nil, err
		}
		answer, refusal = out, out.Err()
		return answer, refusal
	}
	out, err := c.guarded(ctx, call, &sent)
	switch {
	case err != nil && err == refusal: //nolint:errorlint // the very error that stands for the answer
		return answer, nil
	case err != nil:
		return nil, err
	case out == nil:
		return nil, local(Internal, nil, "a middleware around calling %s returned neither outcome nor error", cmd.Type)
	}
	return out, nil
}

// dispatch is one SendAll under middleware. Each command passes its chain, and all that reach the end of theirs are written at once: the chain
// of a command ends in the chain of the next one, so no goroutine is needed, and a batch stays one write.
type dispatch struct {
	c     *Client
	g     *Group
	cmds  []*Command
	errs  []error
	ready []int // indexes of the commands that are to be written
}

// dispatchSize bounds how deep the chains of one write nest.
const dispatchSize = 512

func (c *Client) sendAround(ctx context.Context, g *Group, cmds []*Command) []error {
	errs := make([]error, len(cmds))
	for begin := 0; begin < len(cmds); begin += dispatchSize {
		end := min(begin+dispatchSize, len(cmds))
		d := &dispatch{c: c, g: g, cmds: cmds[begin:end], errs: errs[begin:end]}
		d.from(ctx, 0)
	}
	return errs
}

// from sends the commands from the i-th on. Whatever context a middleware gives to its own command, the next one gets the caller's.
func (d *dispatch) from(ctx context.Context, i int) {
	if i == len(d.cmds) {
		d.write(ctx)
		return
	}
	cmd := d.cmds[i]
	own, end := d.c.span(ctx, StageSend, d.g, cmd)
	reached := false
	call := &Invocation{Stage: StageSend, Group: d.g, Command: cmd}
	call.write = func(inner context.Context) (*Outcome, error) {
		var err error
		if reached { // a middleware that tries again: it writes this one alone
			err = d.c.sendAll(inner, d.g, []*Command{cmd})[0]
		} else {
			reached, d.ready = true, append(d.ready, i)
			d.from(ctx, i+1)
			err = d.errs[i]
		}
		if err != nil {
			return nil, err
		}
		return &Outcome{CommandID: cmd.ID}, nil
	}
	if d.c.chain == nil {
		_, d.errs[i] = call.write(own)
	} else {
		_, d.errs[i] = d.c.guarded(own, call, &reached)
	}
	end(d.errs[i])
	if !reached {
		d.from(ctx, i+1)
	}
}

func (d *dispatch) write(ctx context.Context) {
	if len(d.ready) == 0 {
		return
	}
	ready := make([]*Command, len(d.ready))
	for k, i := range d.ready {
		ready[k] = d.cmds[i]
	}
	for k, err := range d.c.sendAll(ctx, d.g, ready) {
		d.errs[d.ready[k]] = err
	}
}

// guarded makes an error of a middleware's panic.
func (c *Client) guarded(ctx context.Context, call *Invocation, sent *bool) (out *Outcome, err error) {
	defer func() {
		v := recover()
		if v == nil {
			return
		}
		e := panicked(fmt.Sprintf("a middleware around sending %s", call.Command.Type), v)
		if *sent {
			e.cause, e.CommandID = errors.Join(ErrOutcomeUnknown, e.cause), call.Command.ID
		}
		out, err = nil, e
	}()
	return c.chain(ctx, call)
}

// span begins a span when there is a tracer, and makes it the parent of what the owner does.
func (c *Client) span(ctx context.Context, stage Stage, g *Group, cmd *Command) (context.Context, func(error)) {
	if c.tracer == nil {
		return ctx, func(error) {}
	}
	ctx, span := c.tracer.Start(ctx, SpanStart{
		Stage: stage, Group: g.name, Partition: -1, Type: cmd.Type, CommandID: cmd.ID, Count: 1, Parent: cmd.Trace(),
	})
	cmd.setTrace(span.Context())
	return ctx, span.End
}
