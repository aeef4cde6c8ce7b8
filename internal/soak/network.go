//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// node is a broker or an instance in a network namespace of its own. All of them and the supervisor hang on one bridge.
type node struct {
	name    string // of the namespace
	address string
}

// enter is what a command line begins with that is to run in the namespace.
func (n node) enter() []string {
	if n.name == "" {
		return nil
	}
	return []string{"ip", "netns", "exec", n.name}
}

// network is where the processes live. Without namespaces it is the loopback, and no link can be broken.
type network struct {
	bridge    string // empty: the loopback
	brokers   []node
	instances []node
	delay     []string // what tc is told to make a link slow; empty where the kernel has nothing for it
	slow      string   // the same for people
}

// loopback is the network of those who may not make namespaces.
func loopback(brokers, instances int) *network {
	n := &network{}
	for range brokers {
		n.brokers = append(n.brokers, node{address: "127.0.0.1"})
	}
	for range instances {
		n.instances = append(n.instances, node{address: "127.0.0.1"})
	}
	return n
}

// nowhere is a hardware address that nobody has. A neighbour that is said to have it gets nothing any more, and nobody is told: packets are lost as
// in a network that drops them, in this direction only.
const nowhere = "02:00:5e:00:00:01"

// openNetwork makes a bridge and a namespace for each broker and instance. It needs root. Those of a supervisor that was killed are removed first.
func openNetwork(ctx context.Context, brokers, instances int) (*network, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("network namespaces need root")
	}
	if err := sweep(ctx); err != nil {
		return nil, err
	}
	id := os.Getpid()
	subnet := fmt.Sprintf("10.%d.%d.", 200+id%50, id/50%256)
	n := &network{bridge: fmt.Sprintf("ms%dbr", id)}
	err := errors.Join(
		ip(ctx, "link", "add", n.bridge, "type", "bridge"),
		ip(ctx, "addr", "add", subnet+"1/24", "dev", n.bridge),
		ip(ctx, "link", "set", n.bridge, "up"),
	)
	for i := range brokers {
		n.brokers = append(n.brokers, node{fmt.Sprintf("ms%db%d", id, i), subnet + strconv.Itoa(10+i)})
	}
	for i := range instances {
		n.instances = append(n.instances, node{fmt.Sprintf("ms%di%d", id, i), subnet + strconv.Itoa(100+i)})
	}
	for _, one := range append(append([]node(nil), n.brokers...), n.instances...) {
		if err == nil {
			err = n.attach(ctx, one)
		}
	}
	if err != nil {
		return nil, errors.Join(err, n.close(ctx))
	}
	n.chooseDelay(ctx)
	return n, nil
}

// attach makes a namespace and its link to the bridge.
func (n *network) attach(ctx context.Context, one node) error {
	return errors.Join(
		ip(ctx, "netns", "add", one.name),
		ip(ctx, "link", "add", one.name, "type", "veth", "peer", "name", "eth0", "netns", one.name),
		ip(ctx, "link", "set", one.name, "master", n.bridge, "up"),
		ip(ctx, "-n", one.name, "addr", "add", one.address+"/24", "dev", "eth0"),
		ip(ctx, "-n", one.name, "link", "set", "eth0", "up"),
		ip(ctx, "-n", one.name, "link", "set", "lo", "up"),
	)
}

// chooseDelay finds out what the kernel has to make a link slow.
func (n *network) chooseDelay(ctx context.Context) {
	for _, way := range [][]string{
		{"netem", "delay", "250ms", "50ms", "loss", "1%"},
		{"tbf", "rate", "256kbit", "burst", "16kb", "latency", "500ms"},
	} {
		n.delay, n.slow = way, strings.Join(way, " ")
		if n.hamper(ctx, n.instances[0]) == nil && n.relieve(ctx, n.instances[0]) == nil {
			return
		}
	}
	n.delay, n.slow = nil, ""
}

// cut loses what goes from one to another.
func (n *network) cut(ctx context.Context, from, to node) error {
	return ip(ctx, "-n", from.name, "neigh", "replace", to.address, "lladdr", nowhere, "dev", "eth0", "nud", "permanent")
}

// mend lets it through again.
func (n *network) mend(ctx context.Context, from, to node) error {
	return ip(ctx, "-n", from.name, "neigh", "del", to.address, "dev", "eth0")
}

// hamper makes all that a node sends slow.
func (n *network) hamper(ctx context.Context, one node) error {
	return tc(ctx, append([]string{"-n", one.name, "qdisc", "add", "dev", "eth0", "root"}, n.delay...)...)
}

// relieve ends that.
func (n *network) relieve(ctx context.Context, one node) error {
	return tc(ctx, "-n", one.name, "qdisc", "del", "dev", "eth0", "root")
}

// close removes all of it.
func (n *network) close(ctx context.Context) error {
	if n.bridge == "" {
		return nil
	}
	var faults []error
	for _, one := range append(append([]node(nil), n.brokers...), n.instances...) {
		if _, err := os.Stat("/run/netns/" + one.name); err == nil {
			faults = append(faults, ip(ctx, "netns", "del", one.name)) // its link goes with it
		}
	}
	return errors.Join(append(faults, ip(ctx, "link", "del", n.bridge))...)
}

// ours are the names that a supervisor gives, with the number of its process.
var ours = regexp.MustCompile(`^ms(\d+)(br|[bi]\d+)$`)

// sweep removes what supervisors have left that were killed.
func sweep(ctx context.Context) error {
	var faults []error
	for dir, remove := range map[string][]string{"/run/netns": {"netns", "del"}, "/sys/class/net": {"link", "del"}} {
		entries, _ := os.ReadDir(dir) // there is none before the first namespace
		for _, e := range entries {
			parts := ours.FindStringSubmatch(e.Name())
			if parts == nil || (dir == "/sys/class/net" && parts[2] != "br") {
				continue
			}
			if _, err := os.Stat("/proc/" + parts[1]); errors.Is(err, os.ErrNotExist) {
				faults = append(faults, ip(ctx, append(remove, e.Name())...))
			}
		}
	}
	return errors.Join(faults...)
}

func ip(ctx context.Context, args ...string) error { return command(ctx, "ip", args...) }
func tc(ctx context.Context, args ...string) error { return command(ctx, "tc", args...) }

// command runs a program that says why it fails.
func command(ctx context.Context, name string, args ...string) error {
	said, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, strings.TrimSpace(string(said)))
	}
	return nil
}
