// Command kafkad starts and stops Apache Kafka brokers for development: it is what `make kafka` and `make kafka-stop` run.
//
//	kafkad -dir .kafka -brokers 3 start      one or three brokers on 9092 (9094, 9096), detached; returns when they answer
//	kafkad -dir .kafka stop                  ends exactly those
//	kafkad ping 127.0.0.1:9092               exit code 0 when a broker answers there
//
// Every start begins with empty brokers. Their logs are DIR/node-*/broker.log.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// firstPort is the first broker's port; each node takes two, one for the broker and one for the controller.
const firstPort = 9092

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "kafkad:", err)
		os.Exit(1) //nolint:gocritic // the signal handler needs no clean end
	}
}

func run(ctx context.Context, args []string, log io.Writer) error {
	flags := flag.NewFlagSet("kafkad", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.Usage = func() {
		fmt.Fprintln(log, "usage: kafkad [-dir DIR] [-brokers 1|3] [-heap MiB] start | stop | ping ADDRESS,...")
		flags.PrintDefaults()
	}
	dir := flags.String("dir", ".kafka", "directory of the brokers")
	brokers := flags.Int("brokers", 1, "number of brokers: 1 or 3")
	heap := flags.Int("heap", 0, "heap of each broker in MiB; 0 means 1024 for one broker, 768 for three")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch verb := flags.Arg(0); verb {
	case "start":
		return start(ctx, kafkatest.Config{Brokers: *brokers, Dir: *dir, HeapMiB: *heap, Log: log})
	case "stop":
		if err := kafkatest.StopDetached(*dir); err != nil {
			return err
		}
		fmt.Fprintln(log, "no broker runs from", *dir)
		return nil
	case "ping":
		return kafkatest.Ping(ctx, kafkatest.Split(flags.Arg(1)))
	default:
		flags.Usage()
		return errors.New("choose start, stop or ping")
	}
}

func start(ctx context.Context, config kafkatest.Config) error {
	for i := range config.Brokers {
		config.Ports = append(config.Ports, firstPort+2*i)
	}
	addresses, err := kafkatest.StartDetached(ctx, config)
	if err != nil {
		return err
	}
	list := strings.Join(addresses, ",")
	fmt.Fprintf(config.Log, "Kafka answers at %s; for programs: %s=%s\n", list, kafkatest.BrokersVariable, list)
	return nil
}
