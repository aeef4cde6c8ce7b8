package service

import (
	"errors"
	"log/slog"

	"github.com/seed-3eec0498/muster"
)

// loggable is an error with a text of its own for logs: an error may name an aggregate, a log may not.
type loggable interface {
	error
	slog.LogValuer
}

// quiet gives what of an error goes into a log line.
func quiet(err error) any {
	if own, has := errors.AsType[loggable](err); has {
		return own.LogValue()
	}
	return err
}

// toldDead is how many dead letters of one batch have a line of their own; a flood of bad records must not become a flood of lines.
const toldDead = 10

// buried tells of the dead letters of a committed batch.
func (o *owner) buried(d *muster.Decision) {
	for i := range d.Dead[:min(len(d.Dead), toldDead)] {
		cmd := &d.Dead[i].Command
		o.log.Warn("a command became a dead letter", "group", o.group.Name(), "partition", cmd.Partition, "offset", cmd.Offset,
			"command_id", cmd.ID, "reason", d.Dead[i].Cause.Reason, "attempt", cmd.Attempt)
	}
	if more := len(d.Dead) - toldDead; more > 0 {
		o.log.Warn("further commands of the batch became dead letters", "group", o.group.Name(), "more", more)
	}
}
