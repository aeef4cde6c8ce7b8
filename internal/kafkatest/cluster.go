package kafkatest

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// Cluster is a set of broker processes that belong together.
type Cluster struct {
	brokers   []*Broker
	temporary string // directory to remove at the end; empty when the caller gave one

	closing  sync.Once
	closeErr error // written by the first Close
}

// Start starts brokers and returns when all of them answer. ctx bounds the start only; the brokers run until [Cluster.Close] or, on Linux,
// the end of this process. When Start fails, no process is left, and the error holds the end of the broker's log.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	return start(ctx, config, owned(), true)
}

func start(ctx context.Context, config Config, attributes *syscall.SysProcAttr, brief bool) (*Cluster, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	lib, err := jars(ctx, config)
	if err != nil {
		return nil, err
	}
	program, err := java()
	if err != nil {
		return nil, err
	}
	nodes, err := nodes(config)
	if err != nil {
		return nil, err
	}
	c := &Cluster{}
	dir := config.Dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "muster-kafka-"); err != nil {
			return nil, fmt.Errorf("kafkatest: %w", err)
		}
		c.temporary = dir
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, fmt.Errorf("kafkatest: %w", err)
	}
	for _, n := range nodes {
		own := filepath.Join(dir, "node-"+strconv.Itoa(n.id))
		heap := strconv.Itoa(config.heapMiB()) + "m"
		log := filepath.Join(own, "data")
		if config.Data != nil {
			log = cmp.Or(config.Data(n.id), log)
		}
		c.brokers = append(c.brokers, &Broker{
			node: n, dir: own, log: log, java: program, jars: lib, heap: heap, inside: config.inside(n.id), attributes: attributes, brief: brief,
		})
	}
	if err := c.run(ctx, config, dir, nodes); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// run formats and starts all brokers and waits for them.
func (c *Cluster) run(ctx context.Context, config Config, dir string, nodes []node) error {
	if err := removeNodes(dir); err != nil {
		return err
	}
	begin := time.Now()
	id := randomID()
	config.logf("formatting %d node(s) of cluster %s under %s", len(nodes), id, dir)
	if err := c.each(func(b *Broker) error {
		return b.prepare(ctx, id, properties(b.node, nodes, b.log, config.Properties))
	}); err != nil {
		return err
	}
	config.logf("starting Kafka %s on %s", Version, strings.Join(c.Addresses(), ", "))
	err := c.each(func(b *Broker) error {
		if err := b.start(); err != nil {
			return err
		}
		return b.answers(ctx, len(nodes))
	})
	if err != nil {
		return err
	}
	if err := c.brokers[0].coordinates(ctx); err != nil {
		return err
	}
	config.logf("ready after %s", time.Since(begin).Round(time.Millisecond))
	return nil
}

// Addresses are the brokers' addresses, host:port, in the order of their ids.
func (c *Cluster) Addresses() []string {
	addresses := make([]string, len(c.brokers))
	for i, b := range c.brokers {
		addresses[i] = b.address()
	}
	return addresses
}

// Broker is the broker with the given node id, 0 to one less than their number. Other ids panic.
func (c *Cluster) Broker(id int32) *Broker { return c.brokers[id] }

// Brokers is the number of brokers, running or not.
func (c *Cluster) Brokers() int { return len(c.brokers) }

// Close ends all processes and returns when they are gone. Brokers whose directory is kept shut down in order, bounded by ten seconds;
// those of a temporary directory are killed, and the directory is removed. A second call returns the same error.
func (c *Cluster) Close() error {
	c.closing.Do(func() {
		if c.temporary == "" {
			c.closeErr = c.each((*Broker).Stop)
			return
		}
		c.closeErr = errors.Join(c.each((*Broker).Kill), os.RemoveAll(c.temporary))
	})
	return c.closeErr
}

// each runs a step for all brokers side by side and joins the errors.
func (c *Cluster) each(step func(*Broker) error) error {
	faults := make([]error, len(c.brokers))
	var group sync.WaitGroup
	for i, b := range c.brokers {
		group.Go(func() { faults[i] = step(b) })
	}
	group.Wait()
	return errors.Join(faults...)
}

// randomID makes an id of a cluster or a directory as Kafka writes it: 22 characters of base64, the first one no hyphen, which the format tool would take for an
// option.
func randomID() string {
	for {
		random := uuid.New()
		if id := base64.RawURLEncoding.EncodeToString(random[:]); id[0] != '-' {
			return id
		}
	}
}
