package kafkatest

import (
	"os"
	"syscall"
)

// Windows has no signals to stop, pause or resume a process; sending these fails, and the error says so.
var (
	stopSignal             = os.Interrupt
	pauseSignal  os.Signal = syscall.Signal(-1)
	resumeSignal os.Signal = syscall.Signal(-1)
)

func owned() *syscall.SysProcAttr    { return nil }
func detached() *syscall.SysProcAttr { return nil }
