package ledger

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// ByNet tells whether an error came from a connection, not from what the database said. The end of a context is none: it is the function's time that
// was over.
func ByNet(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if _, is := errors.AsType[net.Error](err); is {
		return true
	}
	for _, known := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed, os.ErrDeadlineExceeded, syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.EPIPE} {
		if errors.Is(err, known) {
			return true
		}
	}
	return false
}
