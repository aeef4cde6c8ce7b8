package muster_test

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster"
)

// The examples share this contract: a package of its own in a real program, imported by the owner and by its callers.
type (
	openTill struct{ Currency string }
	sell     struct{ Cents int }
	getTill  struct{}
	sold     struct{ Cents int }
	till     struct {
		Currency string
		Cents    int
	}
)

var (
	tills    = muster.NewGroup("tills", muster.Partitions(3))
	OpenTill = muster.NewCommand[openTill, till](tills, "tills.Open")
	Sell     = muster.NewCommand[sell, till](tills, "tills.Sell")
	GetTill  = muster.NewQuery[getTill, till](tills, "tills.Get")
	Opened   = muster.NewEvent[openTill](tills, "tills.Opened")
	Sold     = muster.NewEvent[sold](tills, "tills.Sold")
)

// newTill is the owner's side: how a till decides and what its events change.
func newTill() *muster.Aggregate[till] {
	a := muster.NewAggregate(tills, func() till { return till{} })
	muster.Decide(a, OpenTill, func(_ context.Context, root *muster.Root[till], in openTill) (till, error) {
		if root.Revision() > 0 {
			return till{}, muster.Errorf(muster.AlreadyExists, "till %s is open", root.ID())
		}
		Opened.Emit(root, in)
		return root.State(), nil
	})
	muster.Decide(a, Sell, func(_ context.Context, root *muster.Root[till], in sell) (till, error) {
		if root.Revision() == 0 {
			return till{}, muster.Errorf(muster.NotFound, "till %s is not open", root.ID())
		}
		Sold.Emit(root, sold(in))
		return root.State(), nil // the new state: the event is folded already
	})
	muster.Answer(a, GetTill, func(_ context.Context, s muster.State[till], _ getTill) (till, error) { return s.Value(), nil })
	muster.Evolve(a, Opened, func(s till, e openTill) till { s.Currency = e.Currency; return s })
	muster.Evolve(a, Sold, func(s till, e sold) till { s.Cents += e.Cents; return s })
	return a
}

// loopback is an owner in the caller's hands: what is sent is decided at once, and answered. A service does this over Kafka.
type loopback struct {
	processor *muster.Processor
	states    *store
	client    *muster.Client
	end       int64 // of the journal
}

func newLoopback(behaviour *muster.Behaviour) *muster.Client {
	l := &loopback{states: newStore()}
	l.processor = muster.NewProcessor(behaviour, muster.ProcessorConfig{
		Codec: muster.PlainCodec{}, States: l.states,
		Steps: func(_ muster.ReplyTo, _ *muster.Meta, s *muster.Step) error { l.client.DeliverStep(s); return nil },
	})
	l.processor.Take(0, 0)
	l.client = muster.NewClient(muster.ClientConfig{Sender: l, ReplyTo: muster.ReplyTo{Topic: "replies.example"}})
	return l.client
}

// SendCommands implements [muster.Sender].
func (l *loopback) SendCommands(ctx context.Context, _ *muster.Group, cmds []*muster.Command) []error {
	errs := make([]error, len(cmds))
	for i, cmd := range cmds {
		errs[i] = l.decide(ctx, cmd)
	}
	return errs
}

func (l *loopback) decide(ctx context.Context, cmd *muster.Command) error {
	round, err := l.processor.Begin(&muster.Batch{Commands: []muster.Command{*cmd}, Now: cmd.Time, Attempt: 1}, nil)
	if err != nil {
		return err
	}
	for _, unit := range round.Slice(1) {
		unit.Run(ctx)
	}
	if err := round.Err(); err != nil {
		return err
	}
	decision := round.Decision()
	for i := range decision.Events { // a sink writes them here
		e := &decision.Events[i]
		e.Topic, e.Offset = tills.JournalTopic(""), l.end
		l.end++
	}
	changes, replies, _ := round.Settle()
	if err := l.states.Store(ctx, changes); err != nil {
		return err
	}
	for _, reply := range replies {
		reply.Outcome.CommandID = reply.CommandID
		l.client.Deliver(reply.Outcome)
	}
	return nil
}

// A contract is values: a group, and the commands, queries and events that belong to it.
func ExampleNewGroup() {
	orders := muster.NewGroup("orders", muster.Partitions(64))
	place := muster.NewCommand[order, account](orders, "orders.Place")
	fmt.Println(orders.CommandTopic(""), orders.JournalTopic("stage-"), orders.Partitions())
	fmt.Println(place)
	fmt.Println(orders.Validate())
	// Output:
	// orders.commands stage-orders.events 64
	// command orders.Place of group orders
	// <nil>
}

// Mistakes in a contract are kept in its values and told all at once when a service opens.
func ExampleGroup_Validate() {
	g := muster.NewGroup("orders", muster.Partitions(0))
	muster.NewCommand[order, account](g, "orders.Place")
	muster.NewEvent[moved](g, "orders.Place")
	fmt.Println(g.Validate())
	// Output:
	// group "orders": 0 partitions; choose 1 to 10,000
	// group "orders": the name "orders.Place" is used twice, for a command and a event; rename one
}

// A command is called with the id of its aggregate. The answer is there when its events are committed.
func ExampleCommandType_Call() {
	ctx, client := context.Background(), newLoopback(newTill().Behaviour())
	if _, err := OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"}); err != nil {
		fmt.Println(err)
	}
	var receipt muster.Receipt
	now, err := Sell.Call(ctx, client, "till-1", sell{Cents: 250}, muster.ReceiptTo(&receipt))
	fmt.Println(now.Cents, now.Currency, err)
	fmt.Println("revision", receipt.Revision, "at", receipt.Position)
	// Output:
	// 250 EUR <nil>
	// revision 2 at tills.events[0]@1
}

// A retry with the same command id takes effect once: it gets the answer of the first.
func ExampleCommandID() {
	ctx, client := context.Background(), newLoopback(newTill().Behaviour())
	_, _ = OpenTill.Call(ctx, client, "till-1", openTill{Currency: "EUR"})
	for range 2 {
		var receipt muster.Receipt
		now, err := Sell.Call(ctx, client, "till-1", sell{Cents: 100}, muster.CommandID("sale-4711"), muster.ReceiptTo(&receipt))
		fmt.Println(now.Cents, err, "repeated:", receipt.Repeated)
	}
	now, err := GetTill.Call(ctx, client, "till-1", getTill{})
	fmt.Println(now.Cents, err)
	// Output:
	// 100 <nil> repeated: false
	// 100 <nil> repeated: true
	// 100 <nil>
}

// Send is for commands whose outcome nobody waits for; it returns when the command is durable.
func ExampleCommandType_Send() {
	ctx, client := context.Background(), newLoopback(newTill().Behaviour())
	_, err := OpenTill.Send(ctx, client, "till-1", openTill{Currency: "EUR"})
	fmt.Println(err)
	// Output: <nil>
}
