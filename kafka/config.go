package kafka

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// maxPrefix leaves room for the longest group name (150) and the longest suffix (10) in the 249 characters of a topic name.
	maxPrefix = 80

	// maxBatchBytes is what a Kafka broker takes by default in one batch (message.max.bytes). Every topic of the toolkit takes at least as
	// much, and no client builds larger ones.
	maxBatchBytes = 1_048_588

	// maxInflatedBytes bounds what a compressed batch may become in memory. The default of the client library is 1 GiB.
	maxInflatedBytes = 64 << 20

	dialTimeout = 5 * time.Second
)

// Config says how to reach the cluster. The zero value reaches a broker at 127.0.0.1:9092, which suits development only.
type Config struct {
	// Brokers are addresses to start from, host:port; the port defaults to 9092. A few suffice: the rest of the cluster is learnt from
	// them. Empty means 127.0.0.1:9092.
	Brokers []string

	// ClientID names this process to the brokers, in their logs, quotas and metrics. Empty means "muster".
	ClientID string

	// Prefix stands in front of every topic name: a tenant or a stage, such as "staging.". At most 80 characters that a topic name may
	// have. Empty means no prefix.
	Prefix string

	// TLS encrypts the connections. The zero value does not.
	TLS TLS

	// SASL says who this process is. The zero value says nothing, which suits brokers that ask nobody, or ask for a client certificate.
	SASL SASL

	// Link is told how the connections fare. Nil means nobody is.
	Link *Link

	// Logger receives warnings and errors of the client library. Nil means that nothing is logged. No keys and payloads appear in it.
	Logger *slog.Logger

	// Options are given to the client library last, so they win over everything the toolkit sets. Most programs need none; those that
	// change acks, idempotence, partitioner or isolation break the guarantees.
	Options []kgo.Opt
}

// Validate returns all faults of the configuration joined into one error, or nil.
func (c Config) Validate() error {
	var faults []error
	for i, broker := range c.Brokers {
		if err := checkBroker(broker); err != nil {
			faults = append(faults, fmt.Errorf("kafka: Brokers[%d] is %q: %w", i, broker, err))
		}
	}
	if len(c.Prefix) > maxPrefix {
		faults = append(faults, fmt.Errorf("kafka: Prefix has %d characters; at most %d are allowed", len(c.Prefix), maxPrefix))
	}
	if !topicCharacters(c.Prefix) {
		faults = append(faults, fmt.Errorf("kafka: Prefix is %q; use letters, digits, dots, dashes and underscores", c.Prefix))
	}
	faults = append(faults, c.TLS.faults()...)
	faults = append(faults, c.SASL.faults(c.TLS.Enabled)...)
	return errors.Join(faults...)
}

// Client makes a client of the library with the settings all parts of the toolkit share; extra is what one part needs besides. It does no
// I/O: the first request connects. The caller closes it.
//
// The error joins all faults of the configuration, or says which file cannot be used or which option the library refused.
func (c Config) Client(extra ...kgo.Opt) (*kgo.Client, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	d := &dialer{tls: c.TLS, link: c.Link}
	if c.TLS.Enabled {
		if _, err := d.load(); err != nil { // told now, not at the first connection
			return nil, fmt.Errorf("kafka: %w", err)
		}
	}
	c.Link.log(c.Logger)
	opts := []kgo.Opt{
		kgo.SeedBrokers(c.brokers()...),
		kgo.ClientID(c.clientID()),
		kgo.Dialer(d.dial),
		kgo.MaxDecompressBatchBytes(maxInflatedBytes),
		kgo.ProducerBatchMaxBytes(maxBatchBytes),
		kgo.DisableClientMetrics(), // KIP-714: a push at every close costs short-lived readers a connection
	}
	if c.Logger != nil || c.Link != nil {
		opts = append(opts, kgo.WithLogger(spy{logger: c.Logger, link: c.Link, explain: func(err error) error { return c.Map("connect", err) }}))
	}
	if c.SASL.Mechanism != "" {
		opts = append(opts, kgo.SASL(mechanism{c.SASL}))
	}
	opts = append(append(opts, extra...), c.Options...)
	client, err := kgo.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka: client options do not fit together: %w; look at Config.Options first", err)
	}
	return client, nil
}

// brokers is the list of addresses with the default applied.
func (c Config) brokers() []string {
	if len(c.Brokers) == 0 {
		return []string{"127.0.0.1:9092"}
	}
	return c.Brokers
}

// clientID is the client id with the default applied.
func (c Config) clientID() string {
	if c.ClientID == "" {
		return "muster"
	}
	return c.ClientID
}

func checkBroker(address string) error {
	if strings.Contains(address, "://") {
		return errors.New("leave out the scheme; give host:port")
	}
	host := address
	if strings.Contains(address, ":") {
		name, port, err := net.SplitHostPort(address)
		if err != nil {
			return errors.New("give host:port, an IPv6 address in brackets")
		}
		host = name
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return fmt.Errorf("port %q; give 1 to 65535", port)
		}
	}
	if host == "" || strings.ContainsAny(host, " \t\r\n,;/") {
		return errors.New("give one host per entry")
	}
	return nil
}

// topicCharacters tells whether s has only characters Kafka allows in the name of a topic.
func topicCharacters[T string | []byte](s T) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '.', c == '_', c == '-':
		default:
			return false
		}
	}
	return true
}

// maxTopicName is Kafka's limit for the name of a topic.
const maxTopicName = 249

// topicName tells whether s can be the name of a topic.
func topicName[T string | []byte](s T) bool {
	return len(s) > 0 && len(s) <= maxTopicName && topicCharacters(s)
}
