package pgtest

import "syscall"

// owned makes a child die with the thread that started it, hence with the test process.
func owned() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
