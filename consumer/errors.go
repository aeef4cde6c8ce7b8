package consumer

import (
	"errors"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// ErrDataLoss is what reading a journal gives when the requested offset is not in the log: the journal was cut off, trimmed, or is another
// one than the local state was made from. The state has to be rebuilt.
var ErrDataLoss = errors.New("the journal does not hold the requested offset")

// ErrMalformed is what reading a journal gives for a record that the toolkit wrote, by its headers, and that cannot be read. The error
// around it names the position. Nothing can be folded past it.
var ErrMalformed = errors.New("malformed journal record")

// errNoMember is what Claim answers between two memberships.
var errNoMember = fmt.Errorf("not a member of the consumer group: %w", muster.ErrFenced)

// notHeld is the ErrFenced that names the partition.
func notHeld(topic string, partition int32) error {
	return fmt.Errorf("%s[%d] is not held by this instance: %w", topic, partition, muster.ErrFenced)
}
