package kafkatest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"syscall"
)

// Broker is one node of a [Cluster]. Its methods may be called by any goroutine; they wait for each other.
type Broker struct {
	node
	dir        string               // the node's own directory
	log        string               // where the broker keeps its log
	java       string               // the program
	jars       string               // the directory with Kafka's jars
	heap       string               // as Java takes it: 768m
	attributes *syscall.SysProcAttr // how the process is tied to this one
	inside     []string             // what the command line begins with
	brief      bool                 // it lives for a test: compiling it well would take longer than what it does

	clusterID string // written by prepare, read-only afterwards

	mu      sync.Mutex // guards process
	process *process   // the latest one, possibly ended; nil before the first start
}

// ID is the node id, the index given to [Cluster.Broker] and the id that the broker has in metadata.
func (b *Broker) ID() int32 { return int32(b.id) }

// Address is where clients reach this broker, host:port. It is the same after a restart.
func (b *Broker) Address() string { return b.address() }

// PID is the id of the latest process.
func (b *Broker) PID() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.process == nil {
		return 0
	}
	return b.process.os.Pid
}

// Kill ends the process as kill -9 does and returns when it is gone. What the broker has written stays on disk.
func (b *Broker) Kill() error {
	return b.do("kill", (*process).kill)
}

// Stop asks the broker to shut down in order, which moves leaders elsewhere where that is possible, and returns when the process is gone.
// One that has not ended after ten seconds is killed.
func (b *Broker) Stop() error {
	return b.do("stop", (*process).stop)
}

// Pause freezes the process as SIGSTOP does: connections stay open, nothing is answered. [Broker.Resume] lets it go on.
func (b *Broker) Pause() error {
	return b.do("pause", func(p *process) error { return p.signal(pauseSignal) })
}

// Resume lets a paused process go on.
func (b *Broker) Resume() error {
	return b.do("resume", func(p *process) error { return p.signal(resumeSignal) })
}

// Restart stops the broker if it runs, starts it again on the same data and address, and returns when it answers metadata requests.
func (b *Broker) Restart(ctx context.Context) error {
	if err := b.replace(); err != nil {
		return err
	}
	return b.answers(ctx, 1)
}

// RestartEmpty kills the broker, takes all its data away as the loss of a disk does, starts it again at the same address and returns when it
// answers metadata requests. What it had comes back from the replicas of the others, see [Cluster.AwaitInSync]; where it had the only one, it is lost.
func (b *Broker) RestartEmpty(ctx context.Context) error {
	if err := b.empty(ctx); err != nil {
		return err
	}
	return b.answers(ctx, 1)
}

func (b *Broker) empty(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.doLocked("kill", (*process).kill); err != nil {
		return err
	}
	if err := os.RemoveAll(b.log); err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	if err := os.MkdirAll(b.log, 0o755); err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	if err := b.format(ctx, b.clusterID, b.log); err != nil {
		return err
	}
	return b.startLocked()
}

func (b *Broker) replace() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.doLocked("stop", (*process).stop); err != nil {
		return err
	}
	return b.startLocked()
}

func (b *Broker) do(what string, act func(*process) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.doLocked(what, act)
}

func (b *Broker) doLocked(what string, act func(*process) error) error {
	if b.process == nil {
		return nil
	}
	if err := act(b.process); err != nil {
		return fmt.Errorf("kafkatest: %s broker %d (process %d): %w", what, b.id, b.process.os.Pid, err)
	}
	return nil
}

// prepare writes the configuration and formats the data directory.
func (b *Broker) prepare(ctx context.Context, clusterID, properties string) error {
	b.clusterID = clusterID
	err := errors.Join(
		os.MkdirAll(b.dir, 0o755), os.MkdirAll(b.log, 0o755),
		os.WriteFile(b.file("server.properties"), []byte(properties), 0o600),
		os.WriteFile(b.file("log4j2.yaml"), []byte(log4j2), 0o600),
	)
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	return b.format(ctx, clusterID, b.log)
}

// start launches the process; it does not wait for the broker to answer.
func (b *Broker) start() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.startLocked()
}

func (b *Broker) startLocked() error {
	log, err := os.OpenFile(b.file("broker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("kafkatest: %w", err)
	}
	defer log.Close() // the process has it open by itself
	arguments := []string{
		"-server", "-Xms" + b.heap, "-Xmx" + b.heap, "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20",
		"-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent", "-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + b.file("log4j2.yaml"), "-cp", filepath.Join(b.jars, "*"),
	}
	if b.brief {
		arguments = append(arguments, "-XX:TieredStopAtLevel=1")
	}
	line := slices.Concat(b.inside, []string{b.java}, arguments, []string{"kafka.Kafka", b.file("server.properties")})
	command := exec.Command(line[0], line[1:]...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = b.attributes
	started, err := launch(command)
	if err != nil {
		return fmt.Errorf("kafkatest: start broker %d: %w", b.id, err)
	}
	b.process = started
	if err := os.WriteFile(b.file(pidFile), []byte(strconv.Itoa(started.os.Pid)), 0o600); err != nil {
		return errors.Join(fmt.Errorf("kafkatest: %w", err), started.kill())
	}
	return nil
}

// ended is closed when the latest process is gone.
func (b *Broker) ended() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.process.done
}

func (b *Broker) file(name string) string { return filepath.Join(b.dir, name) }

// lastWords is the end of the broker's log, for an error message.
func (b *Broker) lastWords() string {
	said, err := os.ReadFile(b.file("broker.log"))
	if err != nil {
		return err.Error()
	}
	return string(tail(said))
}
