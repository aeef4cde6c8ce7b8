package main

import (
	"errors"
	"sync"

	"github.com/seed-3eec0498/muster/examples/commander/signup"
)

// errTaken says that another user has the address.
var errTaken = errors.New("the address is taken")

// directory stands for the service's own database, with its unique index on addresses.
type directory struct {
	mu      sync.Mutex        // guards byEmail: commands on different users run side by side
	byEmail map[string]string // address -> id of the command that took it
}

func newDirectory() *directory { return &directory{byEmail: map[string]string{}} }

// add keeps the user. A command that runs again finds its own row and goes on: that is all that a handler with effects of its own has to do.
func (d *directory) add(user signup.User, command string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if owner, taken := d.byEmail[user.Email]; taken && owner != command {
		return errTaken
	}
	d.byEmail[user.Email] = command
	return nil
}
