package muster

import (
	"fmt"
	"reflect"
)

// CommandType is a typed command of a group: In is what it carries, Out what its handler answers. It is a value both sides import.
type CommandType[In, Out any] struct {
	group *Group
	name  string
	out   valueOf[Out]
}

// NewCommand declares a command. Its name is the message type on the wire, unique in the group.
// In and Out are protobuf messages, [Raw], or anything encoding/json can handle.
func NewCommand[In, Out any](g *Group, name string) *CommandType[In, Out] {
	g.declare("command", name, valueOf[In]{}.check(), valueOf[Out]{}.check())
	g.payload(reflect.TypeFor[In]())
	g.payload(reflect.TypeFor[Out]())
	g.mu.Lock()
	g.decode[name] = valueOf[In]{}.decode
	g.mu.Unlock()
	return &CommandType[In, Out]{group: g, name: name}
}

// Name gives the message type on the wire.
func (c *CommandType[In, Out]) Name() string { return c.name }

// Group gives the group the command belongs to.
func (c *CommandType[In, Out]) Group() *Group { return c.group }

// String gives group and name.
func (c *CommandType[In, Out]) String() string {
	return fmt.Sprintf("command %s of group %s", c.name, c.group.name)
}

// QueryType is a typed query of a group: it travels as a command does, so it is linearizable per aggregate, and writes nothing.
type QueryType[In, Out any] struct {
	group *Group
	name  string
	out   valueOf[Out]
}

// NewQuery declares a query. Its name is the message type on the wire, unique in the group.
func NewQuery[In, Out any](g *Group, name string) *QueryType[In, Out] {
	g.declare("query", name, valueOf[In]{}.check(), valueOf[Out]{}.check())
	g.payload(reflect.TypeFor[In]())
	g.payload(reflect.TypeFor[Out]())
	return &QueryType[In, Out]{group: g, name: name}
}

// Name gives the message type on the wire.
func (q *QueryType[In, Out]) Name() string { return q.name }

// Group gives the group the query belongs to.
func (q *QueryType[In, Out]) Group() *Group { return q.group }
