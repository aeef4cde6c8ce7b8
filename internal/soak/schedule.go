//go:build linux

package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// class is what a user asks for with -faults.
type class string

const (
	classKill   class = "kill"
	classStop   class = "stop"
	classBroker class = "broker"
	classNet    class = "net"
	classDisk   class = "disk"
)

var classes = []class{classKill, classStop, classBroker, classNet, classDisk}

// hand does one fault at a time. There are two: what happens to one instance and what happens to one broker may come together, but never two
// instances or two brokers, and the next one waits until all has healed: so no more than replication tolerates.
type hand string

const (
	handInstances hand = "instances"
	handBrokers   hand = "brokers"
)

// kind is one way to break something.
type kind struct {
	class   class
	name    string
	hand    hand
	brokers int           // how many there must be
	least   time.Duration // how long it lasts: from here
	most    time.Duration // to here
}

// session and transaction timeout of the instances. What stops an instance lasts longer than its session, so that others take over.
const (
	session     = 6 * time.Second
	transaction = 10 * time.Second
)

var kinds = []kind{
	{classKill, "kill", handInstances, 1, 0, 0},                                             // started again at once
	{classKill, "kill-takeover", handInstances, 1, session + time.Second, 12 * time.Second}, // started again when others have taken over
	{classKill, "kill-lost", handInstances, 1, 0, 3 * time.Second},                          // started again without its disk
	{classStop, "stop", handInstances, 1, session + time.Second, 14 * time.Second},
	{classDisk, "full", handInstances, 1, 4 * time.Second, 9 * time.Second},
	{classDisk, "lost", handInstances, 1, 0, 0},                                  // ended in order, and started again without its disk
	{classDisk, "broker-full", handBrokers, 3, 3 * time.Second, 8 * time.Second}, // a broker has no room left; it gives up, and is started again when it has
	{classNet, "cut", handInstances, 1, 2 * time.Second, 14 * time.Second},       // from all brokers, both ways
	{classNet, "deaf", handInstances, 1, 2 * time.Second, 14 * time.Second},      // nothing comes from the brokers
	{classNet, "mute", handInstances, 1, 2 * time.Second, 14 * time.Second},      // nothing goes to the brokers
	{classNet, "cut-one", handInstances, 2, 2 * time.Second, 14 * time.Second},   // from one broker, both ways
	{classNet, "mute-one", handInstances, 2, 2 * time.Second, 14 * time.Second},  // nothing goes to one broker
	{classNet, "slow", handInstances, 1, 4 * time.Second, 14 * time.Second},      // what it sends is late
	{classNet, "broker-cut", handBrokers, 3, 3 * time.Second, 12 * time.Second},  // a broker from the others, both ways
	{classNet, "broker-mute", handBrokers, 3, 3 * time.Second, 12 * time.Second}, // nothing goes from a broker to the others
	{classBroker, "rolling", handBrokers, 1, 0, 0},                               // one after another, in order
	{classBroker, "broker-kill", handBrokers, 1, 0, 6 * time.Second},             // kill -9
	{classBroker, "broker-lost", handBrokers, 3, 0, 0},                           // kill -9, and its disk is gone
}

// wanted is a class asked for, and whether it may be left out where it cannot be.
type wanted struct {
	class    class
	optional bool
}

// parseClasses reads the flag: names with commas between them, each with a question mark where the class may be left out.
func parseClasses(flag string) ([]wanted, error) {
	var all []wanted
	for name := range strings.SplitSeq(flag, ",") {
		name = strings.TrimSpace(name)
		w := wanted{class: class(strings.TrimSuffix(name, "?")), optional: strings.HasSuffix(name, "?")}
		switch {
		case name == "":
			continue
		case !slices.Contains(classes, w.class):
			return nil, fmt.Errorf("-faults: there is no class %q; choose from %v", name, classes)
		case slices.ContainsFunc(all, func(o wanted) bool { return o.class == w.class }):
			return nil, fmt.Errorf("-faults: %s is there twice", w.class)
		}
		all = append(all, w)
	}
	return all, nil
}

// step is one fault to be done: after a pause, to a target, for a time.
type step struct {
	kind
	pause  time.Duration
	lasts  time.Duration
	target int // the instance or broker
	other  int // the broker that a link of the target goes to
}

// schedule makes the steps of one hand, without end. It deals all kinds in a random order before any comes again, so that a run long enough has
// each.
type schedule struct {
	random    *rand.Rand
	kinds     []kind
	brokers   int
	instances int
	deck      []kind
}

// newSchedule gives the schedule of a hand; nil when it has nothing to do.
func newSchedule(seed uint64, h hand, chosen []class, brokers, instances int) *schedule {
	stream := uint64(1)
	if h == handBrokers {
		stream = 2
	}
	s := &schedule{random: rand.New(rand.NewPCG(seed, stream)), brokers: brokers, instances: instances}
	for _, k := range kinds {
		if k.hand == h && slices.Contains(chosen, k.class) && brokers >= k.brokers {
			s.kinds = append(s.kinds, k)
		}
	}
	if len(s.kinds) == 0 {
		return nil
	}
	return s
}

// next gives the next step.
func (s *schedule) next() step {
	if len(s.deck) == 0 {
		s.deck = slices.Clone(s.kinds)
		s.random.Shuffle(len(s.deck), func(i, j int) { s.deck[i], s.deck[j] = s.deck[j], s.deck[i] })
	}
	k := s.deck[0]
	s.deck = s.deck[1:]
	targets := s.instances
	if k.hand == handBrokers {
		targets = s.brokers
	}
	return step{
		kind:   k,
		pause:  s.between(2*time.Second, 5*time.Second),
		lasts:  s.between(k.least, k.most),
		target: s.random.IntN(targets),
		other:  s.random.IntN(s.brokers),
	}
}

func (s *schedule) between(least, most time.Duration) time.Duration {
	return least + time.Duration(s.random.Int64N(int64(most-least)+1))
}

func (s step) String() string {
	text := fmt.Sprintf("%s %s %d", s.name, strings.TrimSuffix(string(s.hand), "s"), s.target)
	if strings.HasSuffix(s.name, "-one") {
		text += fmt.Sprintf(", broker %d", s.other)
	}
	if s.lasts > 0 {
		text += fmt.Sprintf(", for %v", s.lasts.Round(100*time.Millisecond))
	}
	return text
}
