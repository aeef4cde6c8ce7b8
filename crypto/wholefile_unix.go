//go:build unix

package crypto

import (
	"os"
	"syscall"
)

// lockFile keeps other processes out until f is closed.
func lockFile(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
