package muster

import "context"

// CommandHandler reacts to commands without holding state. It may do I/O, write to other systems, and call other groups with the context
// it is given. It runs at least once: an aborted transaction or a crash runs it again. What it writes with w takes effect once.
//
// The context ends at the command's own deadline or at the handler deadline, whichever is earlier. A returned error refuses the command,
// and then nothing that was written with w is committed. Use [Errorf] for a code. A handler that ignores the end of its context is given up;
// whatever it writes afterwards is dropped.
//
// Commands on one aggregate are handled one after another, in log order; those on different aggregates side by side.
type CommandHandler interface {
	Handle(ctx context.Context, cmd *Command, w Writer) error
}

// HandlerFunc is a function as a [CommandHandler].
type HandlerFunc func(ctx context.Context, cmd *Command, w Writer) error

// Handle calls f.
func (f HandlerFunc) Handle(ctx context.Context, cmd *Command, w Writer) error { return f(ctx, cmd, w) }

// Handler is a stateless handler for one command type of a group, or for all that have none of their own. It is a value, made from a
// contract that others import, too: a service that is opened with it becomes the group's owner. Any number of them and at most one
// [Aggregate] make up what the owner of a group does.
type Handler struct{ behaviour *Behaviour }

// HandleFunc makes a handler for the commands of the given type. The type need not have been declared.
func (g *Group) HandleFunc(name string, fn func(ctx context.Context, cmd *Command, w Writer) error) *Handler {
	if fn == nil {
		return g.Handle(name, nil)
	}
	return g.Handle(name, HandlerFunc(fn))
}

// Handle makes a handler for the commands of the given type out of h.
func (g *Group) Handle(name string, h CommandHandler) *Handler {
	b := newHandling(g)
	if err := CheckType(name); err != nil {
		b.faultf("group %q: handler for %q: %v", g.name, name, err)
	}
	if kind := g.kindOf(name); kind != "" && kind != "command" {
		b.faultf("group %q: %q is declared as %s, which HandleFunc cannot handle; give it a command's name", g.name, name, article(kind))
	}
	if b.handles("command", g, name, h == nil) {
		b.reactions[name] = reactionOf(h)
	}
	return &Handler{behaviour: b}
}

// CatchAll makes a handler for all commands of the group that no other part of its owner handles, whatever their type: for bridges. Queries
// that the group declares are not commands, so they are not among them.
func (g *Group) CatchAll(fn func(ctx context.Context, cmd *Command, w Writer) error) *Handler {
	b := newHandling(g)
	if fn == nil {
		b.faultf("group %q: the catch-all is nil; give it a function", g.name)
		return &Handler{behaviour: b}
	}
	r := reactionOf(HandlerFunc(fn))
	b.rest = &r
	return &Handler{behaviour: b}
}

// HandleCommand makes a handler for a declared command: it gets the decoded payload, and what it returns is the answer.
func HandleCommand[In, Out any](c *CommandType[In, Out], fn func(ctx context.Context, cmd *Command, in In, w Writer) (Out, error)) *Handler {
	b := newHandling(c.group)
	if b.handles("command", c.group, c.name, fn == nil) {
		b.reactions[c.name] = reaction{
			effects: true, decode: valueOf[In]{}.decode,
			run: func(ctx context.Context, x *execution, in any) (any, error) {
				return x.handle(ctx, func(ctx context.Context, w *writer) error {
					out, err := fn(ctx, &x.cmd, in.(In), w)
					if err != nil {
						return err
					}
					return w.Reply(out)
				})
			},
		}
	}
	return &Handler{behaviour: b}
}

// Behaviour gives the definition as a service takes it.
func (h *Handler) Behaviour() *Behaviour { return h.behaviour }

// Group gives the group whose commands are handled.
func (h *Handler) Group() *Group { return h.behaviour.group }

func newHandling(g *Group) *Behaviour {
	return &Behaviour{group: g, reactions: map[string]reaction{}, evolve: map[string]evolver{}}
}

func reactionOf(h CommandHandler) reaction {
	return reaction{
		effects: true,
		decode:  func(Codec, Place, []byte) (any, Redaction, error) { return nil, Redaction{}, nil }, // the handler does, if it likes
		run: func(ctx context.Context, x *execution, _ any) (any, error) {
			return x.handle(ctx, func(ctx context.Context, w *writer) error { return h.Handle(ctx, &x.cmd, w) })
		},
	}
}

// Decode reads the payload of a command of this type, as a handler of the untyped form gets it.
func (c *CommandType[In, Out]) Decode(codec Codec, cmd *Command) (In, error) {
	v, err := valueOf[In]{}.whole(codec, commandPlace(cmd), cmd.Payload)
	if err != nil {
		var none In
		return none, refuseFault(err, InvalidArgument, ReasonUndecodable, "%v", err)
	}
	return v.(In), nil
}

// HasEvent tells whether the contract, as this build has it, declares an event type of that name.
func (g *Group) HasEvent(name string) bool { return g.kindOf(name) == "event" }

// kindOf gives what a message type is declared as, "" when it is not.
func (g *Group) kindOf(name string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.types[name]
}

func article(kind string) string {
	if kind == "event" {
		return "an event"
	}
	return "a " + kind
}
