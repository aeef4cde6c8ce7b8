//go:build unix

package pgtest

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// The signals that end a server: fast shutdown, and at once.
var fastSignal os.Signal = syscall.SIGINT

// account is the user a server runs as.
type account struct {
	credential *syscall.Credential // nil: as this process
}

// unprivileged gives an account that PostgreSQL accepts.
func unprivileged() (account, error) {
	if os.Getuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil {
			return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
		}
	}
	return account{}, errors.New("pgtest: PostgreSQL does not run as root, and there is neither a user postgres nor nobody; run the tests as another user")
}

// owns gives a path to the account.
func (a account) owns(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Chown(path, int(a.credential.Uid), int(a.credential.Gid))
}

func (a account) attributes() *syscall.SysProcAttr {
	attributes := owned()
	attributes.Credential = a.credential
	return attributes
}
