//go:build unix && !linux

package kafkatest

import "syscall"

// owned has nothing to ask for: only Linux can tie the life of a child to its parent's.
func owned() *syscall.SysProcAttr { return nil }
