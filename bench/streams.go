package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// errNoStreams says that the peer was not built.
var errNoStreams = errors.New("needs the Kafka Streams program: run make bench-peers, or give its directory by -streams")

// streams is a Kafka Streams application as a process, which does the work of the ledger: see peers/kafka-streams.
type streams struct {
	c       *cluster
	name    string // of the application, and so of its consumer group
	topic   string // of the commands
	dir     string
	process *exec.Cmd
	input   io.Closer
	said    strings.Builder // on stderr; read when the process has ended
}

// streamsThreads is one for each core of the machine that the figures are stated for.
const streamsThreads = 2

// startStreams starts the application on the topics of a stage, and returns when it runs.
func (c *cluster) startStreams(ctx context.Context, at *stage, commit time.Duration) (s *streams, err error) {
	if c.inside != nil {
		return nil, errors.New("kafka streams is measured on real brokers: give -brokers")
	}
	java, err := exec.LookPath("java")
	if err != nil {
		return nil, fmt.Errorf("java 17 is needed to run Kafka Streams: %w", err)
	}
	s = &streams{c: c, name: at.name, topic: at.commands()}
	if s.dir, err = os.MkdirTemp(c.cfg.dir, "streams-"); err != nil {
		return nil, err
	}
	s.process = exec.CommandContext(ctx, java, "-Xms512m", "-Xmx1g", "-XX:+UseParallelGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
		"-cp", filepath.Join(c.cfg.streams, "classes")+string(os.PathListSeparator)+filepath.Join(c.cfg.streams, "lib", "*"), "peer.Ledger",
		strings.Join(c.kafka.Brokers, ","), s.name, s.topic, at.journal(), s.dir, strconv.FormatInt(commit.Milliseconds(), 10), strconv.Itoa(streamsThreads))
	s.process.Stderr = &s.said
	input, faultIn := s.process.StdinPipe()
	output, faultOut := s.process.StdoutPipe()
	s.input = input
	if err := errors.Join(faultIn, faultOut, s.process.Start()); err != nil {
		return nil, errors.Join(err, os.RemoveAll(s.dir))
	}
	if line, err := bufio.NewReader(output).ReadString('\n'); strings.TrimSpace(line) != "running" {
		return nil, errors.Join(fmt.Errorf("kafka streams did not start: %w", err), s.end(ctx))
	}
	return s, nil
}

// end stops the process and removes what it made.
func (s *streams) end(ctx context.Context) error {
	_ = s.input.Close()
	err := s.process.Wait()
	if err != nil {
		err = fmt.Errorf("kafka streams: %w\n%s", err, s.said.String())
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	topics, listing := s.c.admin.ListTopics(after)
	var internal []string
	for _, topic := range topics.Names() {
		if strings.HasPrefix(topic, s.name+"-") && strings.HasSuffix(topic, "-changelog") {
			internal = append(internal, topic)
		}
	}
	if len(internal) > 0 {
		_, _ = s.c.admin.DeleteTopics(after, internal...)
	}
	return errors.Join(err, listing, os.RemoveAll(s.dir))
}

// committed gives how many commands the application has committed.
func (s *streams) committed(ctx context.Context) (int64, error) {
	offsets, err := s.c.admin.FetchOffsets(ctx, s.name)
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == s.topic && o.At > 0 {
			sum += o.At
		}
	})
	return sum, nil
}

// reach waits until so many commands are committed, and gives how many are, and when.
func (s *streams) reach(ctx context.Context, n int64) (at int64, when time.Time, err error) {
	err = until(ctx, func() (bool, error) {
		at, err = s.committed(ctx)
		when = time.Now()
		return at >= n, err
	})
	return at, when, err
}
