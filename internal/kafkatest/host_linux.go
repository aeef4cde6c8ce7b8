package kafkatest

import "syscall"

// owned makes a child die with the thread that started it, hence with the test, even one that was killed itself.
func owned() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
