package kafkatest

import (
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
)

// log4j2 sends warnings of the broker to its standard output, which goes to broker.log in the node's directory.
const log4j2 = `Configuration:
  Appenders:
    Console:
      name: STDOUT
      PatternLayout:
        pattern: "[%d] %p %m (%c)%n"
  Loggers:
    Root:
      level: WARN
      AppenderRef:
        ref: STDOUT
`

// node is what distinguishes one process of a cluster from the others.
type node struct {
	id         int
	host       string
	port       int // of the broker
	controller int // port of the controller
}

func (n node) address() string           { return net.JoinHostPort(n.host, strconv.Itoa(n.port)) }
func (n node) controllerAddress() string { return net.JoinHostPort(n.host, strconv.Itoa(n.controller)) }

// properties is the text of server.properties for one node of a cluster; more wins over what is set here.
func properties(n node, cluster []node, data string, more map[string]string) string {
	replicas := strconv.Itoa(len(cluster))
	inSync := "1"
	if len(cluster) > 1 {
		inSync = "2"
	}
	set := map[string]string{
		"process.roles":                  "broker,controller",
		"node.id":                        strconv.Itoa(n.id),
		"listeners":                      "PLAINTEXT://" + n.address() + ",CONTROLLER://" + n.controllerAddress(),
		"advertised.listeners":           "PLAINTEXT://" + n.address() + ",CONTROLLER://" + n.controllerAddress(),
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"inter.broker.listener.name":     "PLAINTEXT",
		"controller.listener.names":      "CONTROLLER",
		"log.dirs":                       data,

		"auto.create.topics.enable":                "false",
		"default.replication.factor":               replicas,
		"min.insync.replicas":                      inSync,
		"offsets.topic.replication.factor":         replicas,
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.replication.factor": replicas,
		"transaction.state.log.min.isr":            inSync,
		"transaction.state.log.num.partitions":     "4",
		"group.initial.rebalance.delay.ms":         "0",
		"group.min.session.timeout.ms":             "1000",

		// A broker that was killed comes back, or loses its partitions to others, after four seconds instead of nine: until its session has
		// expired, the controller takes it for alive and refuses the new process.
		"broker.session.timeout.ms":    "4000",
		"broker.heartbeat.interval.ms": "1000",

		// A transaction whose timeout has passed is aborted within a second, so that tests of it need not wait for ten more.
		"transaction.abort.timed.out.transaction.cleanup.interval.ms": "1000",

		// 128 MiB for the cleaner's map would be a sixth of the heap.
		"log.cleaner.dedupe.buffer.size": strconv.Itoa(16 << 20),
	}
	// Static voters: each node finds the same quorum without a first one that the others join, and what formatting writes names no address.
	voters := make([]string, len(cluster))
	for i, v := range cluster {
		voters[i] = fmt.Sprintf("%d@%s", v.id, v.controllerAddress())
	}
	set["controller.quorum.voters"] = strings.Join(voters, ",")
	maps.Copy(set, more)

	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(set)) {
		// A backslash starts an escape in a properties file.
		fmt.Fprintf(&text, "%s=%s\n", name, strings.ReplaceAll(set[name], `\`, `\\`))
	}
	return text.String()
}
