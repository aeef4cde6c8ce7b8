package pgtest

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"time"
)

// stopLimit is how long a server may take to end after it was asked to; then it is killed.
const stopLimit = 20 * time.Second

// process is a running program and the goroutine that waits for its end.
type process struct {
	os   *os.Process   // written by launch, read-only afterwards
	done chan struct{} // closed when the program has ended and was waited for
}

// launch starts a command. The goroutine stays on its thread until the command ends: the kernel ties the life of a child that shall die with its
// parent to the thread that made it.
func launch(command *exec.Cmd) (*process, error) {
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := command.Start()
		p.os = command.Process
		started <- err
		if err != nil {
			return
		}
		_ = command.Wait() // that it ended matters, not how
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) kill() error {
	if err := p.os.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-p.done
	return nil
}

// stop asks the process to end, kills it if it does not, and returns when it is gone.
func (p *process) stop(signal os.Signal) error {
	if err := p.os.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return errors.Join(err, p.kill())
	}
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	select {
	case <-p.done:
		return nil
	case <-limit.C:
		return p.kill()
	}
}
