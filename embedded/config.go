package embedded

import (
	"errors"
	"fmt"
	"log/slog"
)

// maxBrokers bounds Config.Brokers; each broker costs a listener, and no test needs more than a handful.
const maxBrokers = 64

// Config says what [Start] starts. The zero value is one broker on a free port.
type Config struct {
	// Brokers is how many addresses the cluster has. Zero means one, or as many as there are Ports.
	Brokers int

	// Ports are the TCP ports to listen on, one per broker, in order. Empty means free ports chosen by the operating system.
	Ports []int

	// Logger receives what the broker reports. Nil means that nothing is logged. Group and topic names appear in it, keys and payloads
	// do not.
	Logger *slog.Logger
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c Config) Validate() error {
	var faults []error
	if c.Brokers < 0 || c.Brokers > maxBrokers {
		faults = append(faults, fmt.Errorf("embedded: Brokers is %d; choose 1 to %d, or 0 for the default", c.Brokers, maxBrokers))
	}
	if len(c.Ports) > maxBrokers {
		faults = append(faults, fmt.Errorf("embedded: %d Ports; give at most %d", len(c.Ports), maxBrokers))
	}
	if c.Brokers > 0 && len(c.Ports) > 0 && c.Brokers != len(c.Ports) {
		faults = append(faults, fmt.Errorf("embedded: %d Brokers but %d Ports; give one port per broker, or leave one of both out",
			c.Brokers, len(c.Ports)))
	}
	seen := make(map[int]bool, len(c.Ports))
	for _, port := range c.Ports {
		switch {
		case port < 1 || port > 65535:
			faults = append(faults, fmt.Errorf("embedded: port %d; choose 1 to 65535, or leave Ports empty for free ones", port))
		case seen[port]:
			faults = append(faults, fmt.Errorf("embedded: port %d is given twice; each broker needs its own", port))
		}
		seen[port] = true
	}
	return errors.Join(faults...)
}

// brokers is the number of brokers with the default applied.
func (c Config) brokers() int { return max(c.Brokers, len(c.Ports), 1) }
