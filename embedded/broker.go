package embedded

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// ClusterID is the cluster id that every embedded broker reports in its metadata.
const ClusterID = "muster-embedded"

const (
	// minSessionTimeout lets tests notice a dead group member fast; a real broker asks for six seconds unless told otherwise.
	minSessionTimeout = 100 * time.Millisecond

	// maxReplicas is the replication factor of a topic created with the default one, bounded by the number of brokers.
	maxReplicas = 3
)

// Broker is a running in-process broker, or several of them that form one cluster. Its methods may be called by any goroutine.
type Broker struct {
	cluster   *kfake.Cluster
	addresses []string      // written by Start, read-only afterwards
	traffic   *traffic      // what Close waits for
	closing   sync.Once     // makes the second Close harmless and lets it wait for the first
	detach    func() bool   // takes back the promise to close when the context ends; written by Start
	done      chan struct{} // closed when the broker has ended
}

// Start starts a broker in memory and returns when it accepts connections. It ends when ctx ends or [Broker.Close] is called.
//
// The error joins all faults of the configuration, or says which port could not be opened, or is that of a ctx that has already ended.
func Start(ctx context.Context, config Config) (*Broker, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if err := context.Cause(ctx); err != nil {
		return nil, fmt.Errorf("embedded: not started: %w", err)
	}
	traffic := newTraffic()
	options := []kfake.Opt{
		kfake.NumBrokers(config.brokers()),
		kfake.Ports(config.Ports...),
		kfake.ClusterID(ClusterID),
		kfake.ListenFn(traffic.listen),
		kfake.DefaultNumPartitions(1),
		kfake.GroupMinSessionTimeout(minSessionTimeout),
		kfake.BrokerConfigs(map[string]string{
			"default.replication.factor": strconv.Itoa(min(config.brokers(), maxReplicas)),
		}),
	}
	if config.Logger != nil {
		options = append(options, kfake.WithLogger(bridge{ctx: context.WithoutCancel(ctx), logger: config.Logger}))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		traffic.wait()
		return nil, fmt.Errorf("embedded: cannot listen: %w; choose other Ports, or none for free ones", err)
	}
	b := &Broker{cluster: cluster, addresses: cluster.ListenAddrs(), traffic: traffic, done: make(chan struct{})}
	b.detach = context.AfterFunc(ctx, b.end)
	return b, nil
}

// Brokers are the addresses of the brokers, host:port, in a slice of the caller's own. They stay the same after Close.
func (b *Broker) Brokers() []string { return slices.Clone(b.addresses) }

// Close ends the broker: connections are cut, the records are gone. It returns when all goroutines that serve connections have ended. The
// second call does nothing.
func (b *Broker) Close() {
	b.detach()
	b.end()
}

// Done is closed when the broker has ended, by Close or with the context given to [Start].
func (b *Broker) Done() <-chan struct{} { return b.done }

// Cluster is the broker underneath, for tests that inject faults: see its Fault, ControlKey, MoveTopicPartition and RemoveNode. Programs
// have no use for it. Most of its methods block for ever after Close.
func (b *Broker) Cluster() *kfake.Cluster { return b.cluster }

// end runs once, on the goroutine that closes or on that of the context's end; others wait for it.
func (b *Broker) end() {
	b.closing.Do(func() {
		b.cluster.Close()
		b.traffic.wait()
		close(b.done)
	})
}
