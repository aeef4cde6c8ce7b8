//go:build unix

package kafkatest

import (
	"os"
	"syscall"
)

// The signals that stop, pause and resume a broker.
var (
	stopSignal   os.Signal = syscall.SIGTERM
	pauseSignal  os.Signal = syscall.SIGSTOP
	resumeSignal os.Signal = syscall.SIGCONT
)

// detached puts a child into a session of its own, so that an interrupt at the terminal does not reach it.
func detached() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setsid: true} }
