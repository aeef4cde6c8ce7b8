package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// partitions is the partition count of every topic of a benchmark.
const partitions = 12

// config is what the flags say.
type config struct {
	brokers  []string
	embedded int // brokers in this process; 0 means that brokers names real ones
	rows     []string
	json     string
	commit   string
	dir      string // for local state
	seed     uint64
	repeat   int
	warm     bool // a pass before the first one that counts
	raw      bool // measure the bare loops too
	timeout  time.Duration
	codec    string
	streams  string // directory of the Kafka Streams program; empty where it was not built

	sizes
	profiles profiles
}

// sizes are how much work the rows do.
type sizes struct {
	commands   int // of a backlog
	aggregates int
	payload    int // bytes of a command's and an event's payload
	clients    int
	calls      int           // of call-1
	window     time.Duration // of the rows that count calls
	recover    int           // events
	resident   int           // aggregates
	events     int           // of the rows view-memory and view-pebble
	keys       int           // rows that projections have
	sql        int           // events of the row view-postgres
	rebuild    int           // events
}

// whole is what a measurement that is to be kept does.
func whole() sizes {
	return sizes{
		commands: 500_000, aggregates: 20_000, payload: 100, clients: 256, calls: 3000, window: 8 * time.Second,
		recover: 2_000_000, resident: 1_000_000, events: 2_000_000, keys: 1_000_000, sql: 300_000, rebuild: 10_000_000,
	}
}

// quick is for a first look.
func quick() sizes {
	return sizes{
		commands: 50_000, aggregates: 5000, payload: 100, clients: 256, calls: 500, window: 2 * time.Second,
		recover: 200_000, resident: 100_000, events: 200_000, keys: 100_000, sql: 30_000, rebuild: 500_000,
	}
}

// flags let each size be set; zero leaves what -quick or its absence means.
func (s *sizes) flags(flags *flag.FlagSet) {
	flags.IntVar(&s.commands, "n", 0, "commands of a backlog (500,000)")
	flags.IntVar(&s.aggregates, "aggregates", 0, "aggregates that commands, calls and events are spread over (20,000)")
	flags.IntVar(&s.payload, "payload", 0, "bytes of a payload (100)")
	flags.IntVar(&s.clients, "clients", 0, "clients of the call rows (256)")
	flags.IntVar(&s.calls, "calls", 0, "calls of call-1 (3,000)")
	flags.DurationVar(&s.window, "window", 0, "how long calls are counted (8s)")
	flags.IntVar(&s.recover, "recover", 0, "events of the row recover (2,000,000)")
	flags.IntVar(&s.resident, "resident", 0, "aggregates of the row resident (1,000,000)")
	flags.IntVar(&s.events, "events", 0, "events of the rows view-memory and view-pebble (2,000,000)")
	flags.IntVar(&s.keys, "keys", 0, "aggregates, and so rows, that the events of projections are spread over (1,000,000)")
	flags.IntVar(&s.sql, "sql", 0, "events of the row view-postgres (300,000)")
	flags.IntVar(&s.rebuild, "rebuild", 0, "events of the row rebuild (10,000,000)")
}

// over gives these sizes where they are set, and otherwise those.
func (s sizes) over(otherwise sizes) sizes {
	return sizes{
		commands: cmp.Or(s.commands, otherwise.commands), aggregates: cmp.Or(s.aggregates, otherwise.aggregates),
		payload: cmp.Or(s.payload, otherwise.payload), clients: cmp.Or(s.clients, otherwise.clients), calls: cmp.Or(s.calls, otherwise.calls),
		window: cmp.Or(s.window, otherwise.window), recover: cmp.Or(s.recover, otherwise.recover), resident: cmp.Or(s.resident, otherwise.resident),
		events: cmp.Or(s.events, otherwise.events), keys: cmp.Or(s.keys, otherwise.keys), sql: cmp.Or(s.sql, otherwise.sql), rebuild: cmp.Or(s.rebuild, otherwise.rebuild),
	}
}

func (s sizes) positive() bool {
	return min(s.commands, s.aggregates, s.payload, s.clients, s.calls, s.recover, s.resident, s.events, s.keys, s.sql, s.rebuild) > 0 && s.window >= time.Millisecond
}

func parse(args []string, out io.Writer) (config, error) {
	cfg, brokers, rows, small := config{}, "", "", false
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(out)
	flags.StringVar(&brokers, "brokers", "", "addresses of real brokers, separated by commas")
	inside := flags.Bool("embedded", false, "measure on a broker in this process instead")
	flags.IntVar(&cfg.embedded, "embedded-brokers", 1, "how many brokers -embedded starts; call-256-rf3 needs 3")
	flags.StringVar(&rows, "run", "all", "rows, separated by commas")
	flags.StringVar(&cfg.json, "json", "", "file that receives the results")
	flags.StringVar(&cfg.commit, "commit", "", "the commit measured, for the results")
	flags.StringVar(&cfg.dir, "dir", "", "directory for local state; a temporary one by default")
	flags.StringVar(&cfg.codec, "compression", "", "none, snappy, lz4 or zstd for both sides; empty means the library's default, on both sides too")
	flags.Uint64Var(&cfg.seed, "seed", 1, "of everything random")
	flags.IntVar(&cfg.repeat, "repeat", 0, "passes per row, the median counts; 0 means 3, with -quick or -embedded 1")
	flags.BoolVar(&cfg.warm, "warm", true, "make a small pass first that does not count")
	flags.BoolVar(&cfg.raw, "raw", true, "measure the bare loops, too; without them a profile shows the engine alone")
	flags.BoolVar(&small, "quick", false, "a tenth of the work, one pass")
	flags.DurationVar(&cfg.timeout, "timeout", 30*time.Minute, "bound of the whole run")
	flags.StringVar(&cfg.streams, "streams", "", "directory of the Kafka Streams program that make bench-peers builds, for the rows named after it")
	cfg.sizes.flags(flags)
	cfg.profiles.flags(flags)
	if err := flags.Parse(args); err != nil {
		return config{}, err
	}
	otherwise := whole()
	if small {
		otherwise = quick()
	}
	cfg.sizes = cfg.over(otherwise)
	cfg.brokers, cfg.rows = split(brokers), split(rows)
	if !*inside {
		cfg.embedded = 0
	}
	if cfg.repeat == 0 {
		cfg.repeat = 3
		if small || *inside {
			cfg.repeat = 1
		}
	}
	return cfg, cfg.validate()
}

func (c *config) validate() error {
	var faults []error
	if (c.embedded > 0) == (len(c.brokers) > 0) {
		faults = append(faults, errors.New("give either -brokers ADDRESS or -embedded"))
	}
	if c.repeat < 1 || !c.positive() {
		faults = append(faults, errors.New("-repeat and all sizes must be above zero, -window at least 1ms"))
	}
	_, err := c.compression()
	return errors.Join(append(faults, err)...)
}

// compression gives the options for both sides.
func (c *config) compression() ([]kgo.Opt, error) {
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	codec, known := codecs[c.codec]
	switch {
	case c.codec == "":
		return nil, nil
	case !known:
		return nil, fmt.Errorf("-compression %q; choose none, snappy, lz4 or zstd", c.codec)
	}
	return []kgo.Opt{kgo.ProducerBatchCompression(codec)}, nil
}

// all tells whether every row was asked for.
func (c *config) all() bool { return len(c.rows) == 1 && c.rows[0] == "all" }

// tenth is the work of a pass that does not count.
func (s sizes) tenth() sizes {
	s.commands, s.calls = max(1, s.commands/10), max(1, s.calls/10)
	s.events, s.keys, s.sql, s.rebuild = max(1, s.events/10), max(1, s.keys/10), max(1, s.sql/10), max(1, s.rebuild/10)
	s.recover, s.resident, s.window = max(1, s.recover/10), max(1, s.resident/10), max(s.window/4, time.Millisecond)
	return s
}

func split(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}
