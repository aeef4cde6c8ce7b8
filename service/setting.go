package service

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed-3eec0498/muster/kafka"
)

// setting is one field of [Config] that can be set from outside. Its variable and its flag follow from its name.
type setting struct {
	name    string // as a flag: call-timeout
	meaning string // for -help and the documentation: begins small, no full stop
	def     string // what an unset one means
	secret  bool   // no flag: other processes can read a command line
	toggle  bool   // a flag without value means true
	set     func(c *Config, value string) error
}

// variable is the setting's name in the environment: MUSTER_CALL_TIMEOUT.
func (s *setting) variable() string {
	return variablePrefix + strings.ReplaceAll(strings.ToUpper(s.name), "-", "_")
}

const variablePrefix = "MUSTER_"

// settings is the one table that the environment, the flags and docs/configuration.md follow, in its order.
func settings() []setting {
	text := func(name, meaning, def string, at func(*Config) *string) setting {
		return setting{name: name, meaning: meaning, def: def, set: func(c *Config, v string) error { *at(c) = v; return nil }}
	}
	duration := func(name, meaning, def string, at func(*Config) *time.Duration) setting {
		return setting{name: name, meaning: meaning, def: def, set: func(c *Config, v string) error { return parseDuration(v, at(c)) }}
	}
	number := func(name, meaning, def string, at func(*Config) *int) setting {
		return setting{name: name, meaning: meaning, def: def, set: func(c *Config, v string) error { return parseNumber(v, at(c)) }}
	}
	toggle := func(name, meaning string, at func(*Config) *bool) setting {
		return setting{name: name, meaning: meaning, def: "false", toggle: true, set: func(c *Config, v string) error { return parseToggle(v, at(c)) }}
	}
	return []setting{
		text("name", "the service's name", "none", func(c *Config) *string { return &c.Name }),
		{
			name: "brokers", meaning: "addresses to start from, host:port, separated by commas", def: "none",
			set: func(c *Config, v string) error { c.Brokers = parseList(v); return nil },
		},
		{
			name: "url", meaning: "brokers, TLS and SASL in one text, kafka+sasl_ssl://user@host:9093?ca=ca.pem; the other variables win over it", def: "none", secret: true,
			set: setURL,
		},
		text("data-dir", "directory of the local state", "none", func(c *Config) *string { return &c.DataDir }),
		text("instance", "this replica's name, the same over a restart", "one kept in the data directory", func(c *Config) *string { return &c.Instance }),
		text("prefix", "stands in front of all names of topics and groups", "empty", func(c *Config) *string { return &c.Prefix }),
		text("client-id", "this process in the brokers' logs and quotas", "the service's name", func(c *Config) *string { return &c.Kafka.ClientID }),

		toggle("tls", "encrypt the connections", func(c *Config) *bool { return &c.Kafka.TLS.Enabled }),
		text("tls-ca-file", "PEM file with the authorities of the brokers' certificates", "those of the system", func(c *Config) *string { return &c.Kafka.TLS.CAFile }),
		text("tls-cert-file", "PEM file with the client certificate", "none", func(c *Config) *string { return &c.Kafka.TLS.CertFile }),
		text("tls-key-file", "PEM file with its private key", "none", func(c *Config) *string { return &c.Kafka.TLS.KeyFile }),
		text("tls-server-name", "the name in the brokers' certificates", "the host that is dialled", func(c *Config) *string { return &c.Kafka.TLS.ServerName }),
		toggle("tls-dangerously-accept-any-certificate", "do not check the brokers' certificates", func(c *Config) *bool { return &c.Kafka.TLS.DangerouslyAcceptAnyCertificate }),
		text("sasl-mechanism", "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER", "none", func(c *Config) *string { return &c.Kafka.SASL.Mechanism }),
		text("sasl-user", "the user's name", "none", func(c *Config) *string { return &c.Kafka.SASL.User }),
		{
			name: "sasl-password", meaning: "the password; better a file", def: "none", secret: true,
			set: func(c *Config, v string) error { c.Kafka.SASL.Password = kafka.Secret(v); return nil },
		},
		text("sasl-password-file", "file with the password, read at every authentication", "none", func(c *Config) *string { return &c.Kafka.SASL.PasswordFile }),
		text("sasl-token-file", "file with the bearer token, read at every authentication", "none", func(c *Config) *string { return &c.Kafka.SASL.TokenFile }),
		toggle("sasl-dangerously-unencrypted", "allow PLAIN and OAUTHBEARER without TLS", func(c *Config) *bool { return &c.Kafka.SASL.DangerouslyUnencrypted }),

		duration("call-timeout", "bounds calls whose context has no earlier deadline", "5s", func(c *Config) *time.Duration { return &c.CallTimeout }),
		duration("handler-deadline", "how long one command may take in its handler", "30s", func(c *Config) *time.Duration { return &c.HandlerDeadline }),
		duration("drain-timeout", "how long the end may take", "15s", func(c *Config) *time.Duration { return &c.DrainTimeout }),
		duration("warm-time", "how long the state of a revoked partition is kept", "1h", func(c *Config) *time.Duration { return &c.WarmTime }),
		duration("transaction-timeout", "when the broker ends a dead instance's transaction", "15s", func(c *Config) *time.Duration { return &c.TransactionTimeout }),
		duration("session-timeout", "when a silent instance loses its partitions", "10s", func(c *Config) *time.Duration { return &c.SessionTimeout }),
		duration("dedup-window", "how long a command id is remembered", "24h", func(c *Config) *time.Duration { return &c.DedupWindow }),
		number("retry-attempts", "executions of a command that asks for another try, at most", "10", func(c *Config) *int { return &c.Retry.Attempts }),
		duration("retry-within", "from the first of these executions to the last", "1m", func(c *Config) *time.Duration { return &c.Retry.Within }),
		duration("retry-first", "upper bound of the first wait between them; it doubles", "100ms", func(c *Config) *time.Duration { return &c.Retry.First }),
		duration("retry-longest", "upper bound of every wait between them", "10s", func(c *Config) *time.Duration { return &c.Retry.Longest }),
		number("max-waiting", "commands of a partition that may wait for another try", "500", func(c *Config) *int { return &c.MaxWaiting }),
		number("workers", "handlers of one lane that run at the same time", "GOMAXPROCS, 64 with stateless handlers", func(c *Config) *int { return &c.Workers }),
		number("lanes", "the most lanes of an owned group", "4", func(c *Config) *int { return &c.Lanes }),
		number("snapshot-every", "journal offsets of a partition after which changed states are written as snapshots; negative: never", "100,000", func(c *Config) *int { return &c.Recovery.SnapshotEvery }),
		number("slots", "transactional producers of a lane", "4", func(c *Config) *int { return &c.Slots }),
		number("reply-partitions", "partitions of the reply topic when it is created", "12", func(c *Config) *int { return &c.ReplyPartitions }),
		number("batch-records", "the most commands of a batch", "5000", func(c *Config) *int { return &c.BatchRecords }),
		text("query-address", "base URL at which other processes reach this instance's queries", "none", func(c *Config) *string { return &c.QueryAddress }),
		toggle("existing-topics", "refuse to create topics", func(c *Config) *bool { return &c.ExistingTopics }),
		toggle("stay-member", "keep the membership over a restart", func(c *Config) *bool { return &c.StayMember }),
	}
}

// setURL takes over what the one text says and leaves the rest.
func setURL(c *Config, v string) error {
	k, err := kafka.ParseURL(v)
	if err != nil {
		return err
	}
	c.Brokers, c.Prefix = k.Brokers, k.Prefix
	c.Kafka.ClientID, c.Kafka.TLS, c.Kafka.SASL = k.ClientID, k.TLS, k.SASL
	return nil
}

func parseList(v string) (list []string) {
	for part := range strings.SplitSeq(v, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}

func parseDuration(v string, to *time.Duration) error {
	d, err := time.ParseDuration(v)
	if err != nil {
		return fmt.Errorf("%q is no duration; write 500ms, 30s or 1h30m", v)
	}
	*to = d
	return nil
}

func parseNumber(v string, to *int) error {
	n, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("%q is no whole number", v)
	}
	*to = n
	return nil
}

func parseToggle(v string, to *bool) error {
	b, err := strconv.ParseBool(v)
	if err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	*to = b
	return nil
}
