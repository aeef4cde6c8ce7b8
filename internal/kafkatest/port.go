package kafkatest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
)

// Free ports are looked for below the range from which systems take the local ports of connections: a port taken from there could be gone
// when a broker that was killed comes back for it.
const (
	lowestPort  = 20000
	highestPort = 31999
)

// nodes gives each broker an id and two ports, and checks that nobody listens on them.
func nodes(config Config) ([]node, error) {
	var found []node
	for id := range config.brokers() {
		if len(config.Ports) > 0 {
			n := node{id: id, host: config.host(id), port: config.Ports[id], controller: config.Ports[id] + 1}
			if len(config.Hosts) > 0 {
				found = append(found, n)
				continue
			}
			if err := errors.Join(free(n.port), free(n.controller)); err != nil {
				return nil, fmt.Errorf("kafkatest: broker %d: %w; end what listens there, or choose other ports", id, err)
			}
			found = append(found, n)
			continue
		}
		n, err := freeNode(id, found)
		if err != nil {
			return nil, err
		}
		n.host = config.host(id)
		found = append(found, n)
	}
	return found, nil
}

// freeNode finds two ports, one after the other, that are neither in use nor given to an earlier node.
func freeNode(id int, earlier []node) (node, error) {
	const attempts = 1000
	for range attempts {
		port := lowestPort + 2*rand.IntN((highestPort-lowestPort+1)/2)
		taken := false
		for _, other := range earlier {
			taken = taken || other.port == port
		}
		if !taken && free(port) == nil && free(port+1) == nil {
			return node{id: id, port: port, controller: port + 1}, nil
		}
	}
	return node{}, fmt.Errorf("kafkatest: no free ports for broker %d between %d and %d", id, lowestPort, highestPort)
}

// free returns an error when somebody listens on a loopback port.
func free(port int) error {
	listener, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return err
	}
	return listener.Close()
}
