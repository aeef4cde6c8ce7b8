package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Plan is the faults of a run, by the number of operations at which they begin.
type Plan []Fault

// The timeouts of the system under test: a twentieth of the defaults.
const (
	session     = 500 * time.Millisecond
	transaction = 750 * time.Millisecond
)

// The processes of the system under test.
var (
	owners     = []string{"owner-0", "owner-1"}
	newcomer   = "owner-2" // is there in storms only
	projection = "views-0"
)

// NewPlan draws a plan from a seed: so many faults among so many operations.
func NewPlan(seed uint64, faults, operations int) Plan {
	rng := rand.New(rand.NewPCG(seed, 0x706c616e))
	plan := make(Plan, 0, faults)
	for range faults {
		f := draw(rng)
		f.At = operations/20 + rng.IntN(max(operations*8/10, 1))
		plan = append(plan, f)
	}
	slices.SortStableFunc(plan, func(a, b Fault) int { return a.At - b.At })
	return plan
}

// draw makes a fault of any kind; those that cost most come most often.
func draw(rng *rand.Rand) Fault {
	f := Fault{Kind: pick(rng, kinds), Target: pick(rng, owners)}
	switch f.Kind {
	case Cut:
		f.Target = pick(rng, everybody())
	case Sever, Freeze:
		f.Target, f.For = pick(rng, everybody()), between(rng, 20*time.Millisecond, session+transaction)
	case Lose:
		f.Key, f.Count, f.Apply = pick(rng, answered), 1+rng.IntN(4), rng.IntN(2) == 0
	case Mute:
		f.Key, f.For, f.Apply = pick(rng, []kmsg.Key{kmsg.EndTxn, kmsg.EndTxn, kmsg.TxnOffsetCommit, kmsg.Produce}), between(rng, transaction, 2*transaction), rng.IntN(2) == 0
	case Delay:
		f.Key, f.Count, f.For = pick(rng, answered), 1+rng.IntN(3), between(rng, 50*time.Millisecond, session+transaction)
	case Code:
		c := pick(rng, codes)
		f.Target, f.Key, f.Err, f.Count = "", c.key, c.err, 1+rng.IntN(4)
	case Leaders, Coordinators:
		f.Target = ""
	case Crash:
		f.Target, f.Keep, f.For = pick(rng, everybodyOwning()), pick(rng, []int{0, 50, 100}), between(rng, time.Millisecond, 2*session)
	case Stop:
		f.Target, f.For = pick(rng, everybodyOwning()), between(rng, time.Millisecond, session)
	case Storm:
		f.Target, f.Count = newcomer, 1+rng.IntN(3)
	case Disk:
		f.Target, f.Full, f.For = pick(rng, everybodyOwning()), rng.IntN(2) == 0, between(rng, 50*time.Millisecond, session)
	case Clock:
		f.Target = pick(rng, everybody())
		f.By = pick(rng, []time.Duration{-time.Hour, time.Hour, -5 * time.Second, 5 * time.Second, -time.Second, time.Second})
	}
	return f
}

// kinds has each kind as often as it is drawn.
var kinds = []Kind{
	Crash, Crash, Crash, Crash, Crash, Mute, Mute, Mute, Freeze, Freeze, Freeze, Lose, Lose, Lose, Lose, Cut, Cut, Sever, Sever, Delay, Delay, Delay,
	Code, Code, Code, Code, Leaders, Coordinators, Stop, Stop, Storm, Disk, Clock,
}

// answered is the requests whose answers are lost or which come late.
var answered = []kmsg.Key{
	kmsg.Produce, kmsg.Produce, kmsg.TxnOffsetCommit, kmsg.EndTxn, kmsg.EndTxn, kmsg.InitProducerID, kmsg.Heartbeat, kmsg.JoinGroup, kmsg.SyncGroup, kmsg.OffsetFetch,
	kmsg.Fetch, kmsg.ListOffsets, kmsg.FindCoordinator,
}

// coded is an error that a healthy cluster can answer a request with.
type coded struct {
	key kmsg.Key
	err *kerr.Error
}

var codes = []coded{
	{kmsg.Produce, kerr.NotLeaderForPartition},
	{kmsg.Produce, kerr.NotEnoughReplicas},
	{kmsg.Produce, kerr.ConcurrentTransactions},
	{kmsg.Produce, kerr.RequestTimedOut},
	{kmsg.TxnOffsetCommit, kerr.ConcurrentTransactions},
	{kmsg.TxnOffsetCommit, kerr.NotCoordinator},
	{kmsg.TxnOffsetCommit, kerr.CoordinatorLoadInProgress},
	{kmsg.TxnOffsetCommit, kerr.RebalanceInProgress},
	{kmsg.TxnOffsetCommit, kerr.IllegalGeneration},
	{kmsg.EndTxn, kerr.ConcurrentTransactions},
	{kmsg.EndTxn, kerr.NotCoordinator},
	{kmsg.EndTxn, kerr.CoordinatorLoadInProgress},
	{kmsg.EndTxn, kerr.ProducerFenced},
	{kmsg.EndTxn, kerr.InvalidProducerEpoch},
	{kmsg.InitProducerID, kerr.ConcurrentTransactions},
	{kmsg.InitProducerID, kerr.CoordinatorLoadInProgress},
	{kmsg.Heartbeat, kerr.RebalanceInProgress},
	{kmsg.Heartbeat, kerr.UnknownMemberID},
	{kmsg.JoinGroup, kerr.CoordinatorLoadInProgress},
	{kmsg.SyncGroup, kerr.RebalanceInProgress},
	{kmsg.OffsetFetch, kerr.UnstableOffsetCommit},
	{kmsg.OffsetFetch, kerr.NotCoordinator},
	{kmsg.Fetch, kerr.NotLeaderForPartition},
	{kmsg.Fetch, kerr.KafkaStorageError},
	{kmsg.ListOffsets, kerr.NotLeaderForPartition},
	{kmsg.FindCoordinator, kerr.CoordinatorNotAvailable},
}

func everybodyOwning() []string { return append(slices.Clone(owners), projection) }

// everybody is all processes, the callers among them.
func everybody() []string {
	all := everybodyOwning()
	for c := range clients {
		all = append(all, callerName(c))
	}
	return all
}

func callerName(client int) string { return fmt.Sprint("caller-", client) }

// String gives the plan, one numbered fault a line. Its numbers are what the flag -faults takes.
func (p Plan) String() string {
	var b strings.Builder
	for n, f := range p {
		fmt.Fprintf(&b, "%3d  %s\n", n, f)
	}
	return b.String()
}

// Only gives the faults of these numbers.
func (p Plan) Only(numbers []int) Plan {
	some := make(Plan, 0, len(numbers))
	for _, n := range numbers {
		some = append(some, p[n])
	}
	return some
}

func pick[T any](rng *rand.Rand, from []T) T { return from[rng.IntN(len(from))] }

// between draws a duration in whole milliseconds.
func between(rng *rand.Rand, low, high time.Duration) time.Duration {
	return (low + time.Duration(rng.Int64N(int64(high-low)))).Truncate(time.Millisecond)
}
