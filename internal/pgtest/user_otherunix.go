//go:build unix && !linux

package pgtest

import "syscall"

func owned() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
