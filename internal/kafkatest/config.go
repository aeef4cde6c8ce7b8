package kafkatest

import (
	"errors"
	"fmt"
	"io"
)

// Version is the release of Apache Kafka that is started.
const Version = "4.3.1"

const (
	heapAlone    = 1024 // MiB for a broker that has no others beside it
	heapTogether = 768  // MiB for each of several
)

// Config says what [Start] starts. The zero value is one broker on free ports with its data in a temporary directory.
type Config struct {
	// Brokers is the number of nodes: 1 or 3. Zero means 1.
	Brokers int

	// Dir receives one directory per node, with its configuration, log and data; node directories left there by an earlier cluster are
	// removed first. Empty means a temporary directory that [Cluster.Close] removes.
	Dir string

	// Ports are the brokers' TCP ports, one per node, in order; each controller listens on the port after its broker's. Empty means free
	// ports.
	Ports []int

	// Hosts are the addresses the nodes listen on and are reached at, one per node, in order. Empty means 127.0.0.1 for all. They are not looked
	// at before the start: with Inside they may exist where this process is not.
	Hosts []string

	// Inside gives the beginning of the command line of a node's process, such as a program that enters a network namespace and then becomes what
	// follows. Nil means that there is none.
	Inside func(id int) []string

	// Data gives the directory a node keeps its log in, such as one on a small disk. Nil means one below Dir, as does an empty one.
	Data func(id int) string

	// HeapMiB is the heap of each process. Zero means 1024 for one broker, 768 for three.
	HeapMiB int

	// Properties are added to server.properties of every node and win over the defaults of this package.
	Properties map[string]string

	// Log receives a line per step. Nil means that nothing is written. What the brokers themselves log is in their directories.
	Log io.Writer
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c Config) Validate() error {
	var faults []error
	if c.Brokers != 0 && c.Brokers != 1 && c.Brokers != 3 {
		faults = append(faults, fmt.Errorf("kafkatest: Brokers is %d; choose 1 or 3", c.Brokers))
	}
	if len(c.Ports) > 0 && len(c.Ports) != c.brokers() {
		faults = append(faults, fmt.Errorf("kafkatest: %d Ports for %d brokers; give one port per broker or none", len(c.Ports), c.brokers()))
	}
	if len(c.Hosts) > 0 && len(c.Hosts) != c.brokers() {
		faults = append(faults, fmt.Errorf("kafkatest: %d Hosts for %d brokers; give one host per broker or none", len(c.Hosts), c.brokers()))
	}
	taken := make(map[int]bool, 2*len(c.Ports))
	for _, port := range c.Ports {
		if port < 1 || port > 65534 {
			faults = append(faults, fmt.Errorf("kafkatest: port %d; choose 1 to 65534, the controller takes the next one", port))
		}
		if taken[port] || taken[port+1] {
			faults = append(faults, fmt.Errorf("kafkatest: port %d or %d is given twice; brokers need ports two apart", port, port+1))
		}
		taken[port], taken[port+1] = true, true
	}
	if c.HeapMiB < 0 {
		faults = append(faults, fmt.Errorf("kafkatest: HeapMiB is %d; choose 256 or more, or 0 for the default", c.HeapMiB))
	}
	return errors.Join(faults...)
}

func (c Config) brokers() int { return max(c.Brokers, 1) }

// host is where a node listens.
func (c Config) host(id int) string {
	if len(c.Hosts) == 0 {
		return "127.0.0.1"
	}
	return c.Hosts[id]
}

// inside is what the command line of a node begins with.
func (c Config) inside(id int) []string {
	if c.Inside == nil {
		return nil
	}
	return c.Inside(id)
}

func (c Config) heapMiB() int {
	switch {
	case c.HeapMiB > 0:
		return c.HeapMiB
	case c.brokers() > 1:
		return heapTogether
	default:
		return heapAlone
	}
}

func (c Config) logf(format string, args ...any) {
	if c.Log != nil {
		fmt.Fprintf(c.Log, format+"\n", args...)
	}
}
