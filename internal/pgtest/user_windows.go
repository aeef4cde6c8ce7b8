package pgtest

import (
	"os"
	"syscall"
)

var fastSignal = os.Kill

type account struct{}

func unprivileged() (account, error) { return account{}, nil }

func (account) owns(string) error { return nil }

func (account) attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
