//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"time"
)

// options are those of the command line.
type options struct {
	brokers    int
	instances  int
	partitions int
	callers    int // goroutines that call, of each partition
	rate       int
	lasts      time.Duration
	classes    []wanted
	seed       uint64
	stall      time.Duration
	within     time.Duration
	kept       string
	json       string
}

// services is over how many services the callers are spread: replicas with an identity and a reply partition of their own.
const services = 3

func parse(args []string, errs io.Writer) (options, error) {
	var o options
	var faults string
	flags := flag.NewFlagSet("soak", flag.ContinueOnError)
	flags.SetOutput(errs)
	flags.IntVar(&o.brokers, "brokers", 3, "Kafka brokers: 1 or 3")
	flags.IntVar(&o.instances, "instances", 3, "instances, each an owner and a projector")
	flags.IntVar(&o.partitions, "partitions", 6, "partitions of the group")
	flags.IntVar(&o.callers, "callers", 4, "goroutines that call, for each partition")
	flags.IntVar(&o.rate, "rate", 300, "calls a second, of all callers together, at most")
	flags.DurationVar(&o.lasts, "for", 2*time.Minute, "how long faults go on")
	flags.StringVar(&faults, "faults", "kill,stop,broker,net,disk", "classes of faults; one with a question mark behind it is left out where it cannot be done")
	flags.Uint64Var(&o.seed, "seed", 0, "of the workload and of the schedule of faults; 0: a random one, which is printed")
	flags.DurationVar(&o.stall, "stall", time.Minute, "the longest a caller may be without an answer")
	flags.DurationVar(&o.within, "within", session+transaction+30*time.Second, "the longest that calls may take to end after the faults")
	flags.StringVar(&o.kept, "dir", "", "where logs, disks and the history are put, which stays; empty: a temporary one, which stays after a failure only")
	flags.StringVar(&o.json, "json", "", "a file for the figures, as JSON")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	o.classes, err = parseClasses(faults)
	if o.seed == 0 {
		o.seed = rand.Uint64()
	}
	err = errors.Join(err, o.check(flags.Args()))
	if err != nil {
		fmt.Fprintln(errs, "soak:", err)
	}
	return o, err
}

// check tells all that is wrong with them.
func (o *options) check(rest []string) error {
	var faults []error
	if len(rest) > 0 {
		faults = append(faults, fmt.Errorf("%q is no flag; lists have commas and no spaces", rest))
	}
	if o.brokers != 1 && o.brokers != 3 {
		faults = append(faults, fmt.Errorf("-brokers is %d; choose 1 or 3", o.brokers))
	}
	for _, n := range []struct {
		name       string
		value, top int
	}{
		{"instances", o.instances, 9}, {"partitions", o.partitions, 1000}, {"callers", o.callers, 1000}, {"rate", o.rate, 1_000_000},
	} {
		if n.value < 1 || n.value > n.top {
			faults = append(faults, fmt.Errorf("-%s is %d; choose 1 to %d", n.name, n.value, n.top))
		}
	}
	if o.lasts < 0 || o.stall <= 0 || o.within <= 0 {
		faults = append(faults, errors.New("-for, -stall and -within are times, such as 2m"))
	}
	return errors.Join(faults...)
}

// pace is how long one caller waits between two calls.
func (o *options) pace() time.Duration {
	return max(time.Microsecond, time.Duration(o.callers*o.partitions)*time.Second/time.Duration(o.rate))
}
