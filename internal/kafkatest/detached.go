package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"
)

// pidFile lies in the directory of each node and holds the number of its latest process.
const pidFile = "broker.pid"

// StartDetached starts brokers that outlive this process and returns their addresses when they answer. config.Dir is needed: with it,
// [StopDetached] finds them again. Brokers that run from that directory already are left as they are, provided that their number is the one
// asked for.
func StartDetached(ctx context.Context, config Config) ([]string, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if config.Dir == "" {
		return nil, errors.New("kafkatest: detached brokers need a Dir by which they are found again")
	}
	running, err := living(config.Dir)
	if err != nil {
		return nil, err
	}
	switch {
	case len(running) == 0:
		cluster, err := start(ctx, config, detached(), false)
		if err != nil {
			return nil, err
		}
		return cluster.Addresses(), nil
	case len(running) != config.brokers():
		return nil, fmt.Errorf("kafkatest: %d broker(s) already run from %s, %d are asked for; stop them first: make kafka-stop",
			len(running), config.Dir, config.brokers())
	}
	ports := config.Ports
	if len(ports) != len(running) {
		return nil, fmt.Errorf("kafkatest: brokers already run from %s; stop them first: make kafka-stop", config.Dir)
	}
	config.logf("%d broker(s) already run from %s", len(running), config.Dir)
	addresses := make([]string, len(ports))
	for i, port := range ports {
		addresses[i] = node{host: config.host(i), port: port}.address()
	}
	return addresses, Ping(ctx, addresses)
}

// StopDetached ends the brokers that were started from a directory, these and no others, and returns when they are gone. It is no error when
// there are none.
func StopDetached(dir string) error {
	running, err := living(dir)
	if err != nil {
		return err
	}
	faults := make([]error, len(running))
	var group sync.WaitGroup
	for i, r := range running {
		group.Go(func() { faults[i] = r.stop() })
	}
	group.Wait()
	return errors.Join(faults...)
}

// stray is a broker process of which only the number is known.
type stray struct {
	pid        int
	properties string // path of its configuration, which is part of its command line
}

// living finds the brokers that run from a directory.
func living(dir string) ([]stray, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("kafkatest: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "node-*", pidFile))
	if err != nil {
		return nil, fmt.Errorf("kafkatest: %w", err)
	}
	var found []stray
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("kafkatest: %w", err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return nil, fmt.Errorf("kafkatest: %s holds no process number: %w; remove it", file, err)
		}
		s := stray{pid: pid, properties: filepath.Join(filepath.Dir(file), "server.properties")}
		if s.alive() {
			found = append(found, s)
		}
	}
	return found, nil
}

// alive tells whether the process runs and is the broker that wrote the number: numbers are used again. One that has ended and was not
// waited for has no command line any more, so it counts as gone.
func (s stray) alive() bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.pid), "cmdline"))
	if err != nil {
		if _, noProc := os.Stat("/proc/self/cmdline"); noProc == nil {
			return false
		}
		line, err = exec.Command("ps", "-ww", "-o", "command=", "-p", strconv.Itoa(s.pid)).Output()
		if err != nil {
			return false
		}
	}
	return strings.Contains(string(line), s.properties)
}

// stop asks the process to end, kills it if it does not, and returns when it is gone.
func (s stray) stop() error {
	process, err := os.FindProcess(s.pid)
	if err != nil {
		return fmt.Errorf("kafkatest: broker process %d: %w", s.pid, err)
	}
	for _, signal := range []os.Signal{stopSignal, os.Kill} {
		if err := process.Signal(signal); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("kafkatest: stop broker process %d: %w", s.pid, err)
		}
		if s.gone() {
			return nil
		}
	}
	return fmt.Errorf("kafkatest: broker process %d does not end; its configuration is %s", s.pid, s.properties)
}

// gone waits, bounded, for the process to end.
func (s stray) gone() bool {
	limit := time.NewTimer(stopLimit)
	defer limit.Stop()
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for s.alive() {
		select {
		case <-ticker.C:
		case <-limit.C:
			return false
		}
	}
	return true
}

// removeNodes deletes what an earlier cluster left in a directory, unless it still runs.
func removeNodes(dir string) error {
	running, err := living(dir)
	if err != nil {
		return err
	}
	if len(running) > 0 {
		return fmt.Errorf("kafkatest: %d broker(s) run from %s; stop them before others are started there", len(running), dir)
	}
	old, err := filepath.Glob(filepath.Join(dir, "node-*"))
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	for _, path := range old {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("kafkatest: %w", err)
		}
	}
	return nil
}
