package service

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/disk"
	"github.com/seed-3eec0498/muster/kafka"
)

// Config says what a service needs from its process. Name and Brokers must be set, and DataDir by a service that owns a group.
type Config struct {
	// Name is the service's: its replies come on the topic replies.<Name>. All replicas share it.
	Name string
	// Brokers are the bootstrap addresses, host:port.
	Brokers []string
	// DataDir holds the local state of owned groups and the instance's name. It belongs to one process at a time and may be deleted
	// while none runs.
	DataDir string
	// Instance names this replica among all of its service, and stays the same over a restart. Empty: one is made and kept in DataDir.
	Instance string
	// Prefix stands in front of all topic, group and transactional names: a tenant or a stage.
	Prefix string

	// Kafka has further settings of the connection, TLS and SASL above all; its Brokers, Prefix and Logger are set from here, and ClientID
	// and Link where they are not set.
	Kafka kafka.Config
	// Codec encodes and decodes every payload. Nil means [muster.PlainCodec].
	Codec muster.Codec
	// Privacy seals personal data wherever it is kept, see package crypto: the service opens that codec around Codec, checks the declarations of
	// all types in [Open], and closes it in the end. All services that share a group need the same keys. Nil means that nothing is sealed.
	Privacy *crypto.Config
	// Erasure has the service take part in erasures, see [Service.Privacy]. Nil: it does not.
	Erasure *ErasureConfig
	// KeyMemory bounds the memory of the copy that [OpenKeys] has of the key topic, in bytes: the copy lies in DataDir then, sealed, and ends with the
	// process. At least 16 MiB. Zero means that it is in memory, about 260 bytes for each subject.
	KeyMemory int64
	// Logger gets what an operator should know, never payloads or keys. Nil means silence.
	Logger *slog.Logger
	// Metrics is where the service's metrics are registered. Nil means nowhere.
	Metrics prometheus.Registerer

	// Handling stands around every handler of the owned groups, the first one outermost; see [muster.Middleware].
	Handling []muster.Middleware
	// Sending stands around every call and send of the client, the first one outermost.
	Sending []muster.Middleware
	// Tracer is told of every stage: sends, handlers, commits, stores, replies. Nil means off.
	Tracer muster.Tracer

	// CallTimeout bounds calls whose context has no earlier deadline. Zero means 5 s.
	CallTimeout time.Duration
	// HandlerDeadline is how long one command may take in its handler. Zero means 30 s.
	HandlerDeadline time.Duration
	// DrainTimeout bounds the time from the end of Run's context to the end of Run. Zero means 15 s.
	DrainTimeout time.Duration
	// WarmTime is how long the state of a revoked partition is kept in DataDir. Zero means one hour.
	WarmTime time.Duration
	// TransactionTimeout is after how long the broker aborts a transaction of a dead instance. Zero means 15 s.
	TransactionTimeout time.Duration
	// SessionTimeout is after how long without a sign of life an instance loses its partitions. Zero means 10 s.
	SessionTimeout time.Duration
	// DedupWindow is how long a command id is remembered. Zero means 24 h.
	DedupWindow time.Duration

	// Recovery says how state that is not in DataDir comes back.
	Recovery Recovery

	// StateStore says how much memory states and answers take beside the disk, and what is left free of that.
	StateStore StateStore
	// ViewStore says how much memory the rows of views take beside the disk, and what is left free of that.
	ViewStore ViewStore

	// Retry bounds how often and how long a command is tried again whose handler asked for it. Its zero value means 10 times within a minute.
	Retry muster.RetryPolicy
	// GroupRetry is what holds instead of Retry in the groups it names, where a service owns several.
	GroupRetry map[string]muster.RetryPolicy
	// MaxWaiting is how many commands of one partition may wait for another try, or behind one. Zero means 500, which is the most.
	MaxWaiting int

	// Workers is how many handlers of one batch run at the same time; a lane has up to two batches in hand, eight with stateless handlers.
	// Zero means GOMAXPROCS, and 64 in a group with stateless handlers, which may wait for something.
	Workers int
	// Lanes is the most lanes an owned group has. Zero means 4.
	Lanes int
	// Slots is how many transactional producers a lane uses in turn. Zero means 4.
	Slots int
	// ReplyPartitions is the partition count of the reply topic when it is created. Zero means 12.
	ReplyPartitions int
	// BatchRecords is how many commands a batch has at most. Zero means 5,000.
	BatchRecords int

	// QueryAddress is the base URL at which other processes reach this instance's queries, as http://10.0.0.7:8080. It is shown to the other
	// instances. Empty: this instance answers only itself.
	QueryAddress string
	// AuthorizeQuery decides about each query over HTTP, see [viewhttp.Options]. Nil: whoever reaches the handler may read.
	AuthorizeQuery func(r *http.Request) error
	// QueryClient asks the other instances; its transport adds what their AuthorizeQuery wants. Nil means http.DefaultClient.
	QueryClient *http.Client

	// ExistingTopics refuses to create topics: all must exist with the right settings.
	ExistingTopics bool
	// StayMember keeps the membership when Run ends, so that a restart within SessionTimeout moves no partition.
	StayMember bool

	// Failpoint is called at named points of the engine; crash tests end the process there. Nil in production.
	Failpoint func(name string)
}

var serviceName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,149}$`)

// Validate reports everything wrong with the settings themselves, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf("service: "+format, args...)) }
	if !serviceName.MatchString(c.Name) {
		fault("Name %q: 1 to 150 letters, digits, dots, dashes or underscores, beginning with a letter or digit", c.Name)
	}
	if c.Instance != "" && !serviceName.MatchString(c.Instance) {
		fault("Instance %q: 1 to 150 letters, digits, dots, dashes or underscores, beginning with a letter or digit", c.Instance)
	}
	if len(c.Brokers) == 0 {
		fault("Brokers is empty; give host:port of at least one broker, or start one with embedded.Start")
	}
	if err := muster.CheckMiddleware(c.Handling); err != nil {
		fault("Handling: %v", err)
	}
	if err := muster.CheckMiddleware(c.Sending); err != nil {
		fault("Sending: %v", err)
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"CallTimeout", c.CallTimeout},
		{"HandlerDeadline", c.HandlerDeadline},
		{"DrainTimeout", c.DrainTimeout},
		{"WarmTime", c.WarmTime},
		{"TransactionTimeout", c.TransactionTimeout},
		{"SessionTimeout", c.SessionTimeout},
		{"DedupWindow", c.DedupWindow},
	} {
		if d.value < 0 || d.value > 0 && d.value < time.Millisecond {
			fault("%s is %v; zero means the default, else at least 1ms", d.name, d.value)
		}
	}
	c.Recovery.validate(fault)
	if err := c.StateStore.config().Validate(); err != nil {
		fault("StateStore: %v", err)
	}
	if err := c.ViewStore.config().Validate(); err != nil {
		fault("ViewStore: %v", err)
	}
	faults = append(faults, c.Erasure.faults(c.Privacy)...)
	if c.KeyMemory < 0 || c.KeyMemory > 0 && c.KeyMemory < disk.MinScratch {
		fault("KeyMemory is %d; zero means all in memory, else at least %d bytes", c.KeyMemory, disk.MinScratch)
	}
	for _, n := range []struct {
		name       string
		value, top int
	}{
		{"Workers", c.Workers, 10_000},
		{"Lanes", c.Lanes, 64},
		{"Slots", c.Slots, 64},
		{"ReplyPartitions", c.ReplyPartitions, 10_000},
		{"BatchRecords", c.BatchRecords, 100_000},
		{"MaxWaiting", c.MaxWaiting, muster.MaxWaiting},
	} {
		if n.value < 0 || n.value > n.top {
			fault("%s is %d; zero means the default, else 1 to %d", n.name, n.value, n.top)
		}
	}
	if c.Privacy != nil {
		faults = append(faults, c.Privacy.Validate())
	}
	faults = append(faults, c.connection().Validate())
	return errors.Join(append(faults, c.retryFaults()...)...)
}

func (c Config) connection() kafka.Config {
	k := c.Kafka
	k.Brokers, k.Prefix, k.Logger = c.Brokers, c.Prefix, c.Logger
	if k.ClientID == "" {
		k.ClientID = c.Name
	}
	return k
}

func (c Config) logger() *slog.Logger {
	if c.Logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return c.Logger
}

func (c Config) codec() muster.Codec {
	if c.Codec == nil {
		return muster.PlainCodec{}
	}
	return c.Codec
}

func (c Config) handlerDeadline() time.Duration { return orDefault(c.HandlerDeadline, 30*time.Second) }
func (c Config) drainTimeout() time.Duration    { return orDefault(c.DrainTimeout, 15*time.Second) }
func (c Config) warmTime() time.Duration        { return orDefault(c.WarmTime, time.Hour) }
func (c Config) lanes() int                     { return orDefault(c.Lanes, 4) }
func (c Config) slots() int                     { return orDefault(c.Slots, 4) }
func (c Config) replyPartitions() int32         { return int32(orDefault(c.ReplyPartitions, 12)) }
func (c Config) batchRecords() int              { return orDefault(c.BatchRecords, 5000) }

func (c Config) failpoint(name string) {
	if c.Failpoint != nil {
		c.Failpoint(name)
	}
}

func orDefault[T comparable](v, def T) T {
	var zero T
	if v == zero {
		return def
	}
	return v
}
