package producer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/producer"
)

var _ muster.Sender = (*producer.Sender)(nil)

func (b *bed) sender(change ...func(*producer.SenderConfig)) *producer.Sender {
	b.t.Helper()
	cfg := producer.SenderConfig{Kafka: b.connection()}
	for _, c := range change {
		c(&cfg)
	}
	s, err := producer.OpenSender(b.t.Context(), cfg)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(s.Close)
	return s
}

func (b *bed) command(id, aggregate string) *muster.Command {
	return &muster.Command{
		Meta: muster.Meta{
			ID: id, Type: "bank.Deposit", Group: b.group.Name(), AggregateID: aggregate, CorrelationID: id,
			Time: time.Unix(1_800_000_000, 0).UTC(), ContentType: "application/json",
		},
		Payload: []byte(`{"amount":1}`),
	}
}

func sound(t *testing.T, errs []error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func TestCommandsGoWhereKafkasPartitionerPutsThem(t *testing.T) {
	b := newBed(t, 3)
	s := b.sender()
	var cmds []*muster.Command
	for i := range 200 {
		cmds = append(cmds, b.command(fmt.Sprint("c", i), fmt.Sprint("acc-", i)))
	}
	sound(t, s.SendCommands(t.Context(), b.group, cmds))
	records := b.committed(b.group.CommandTopic(""))
	if len(records) != len(cmds) {
		t.Fatalf("%d records, want %d", len(records), len(cmds))
	}
	at := map[muster.Position]muster.Command{}
	for _, r := range records {
		cmd := kafka.DecodeCommand(r, b.group)
		if cmd.Fault != nil {
			t.Fatalf("%s: %v", cmd.ID, cmd.Fault)
		}
		at[cmd.Position()] = cmd
	}
	for _, cmd := range cmds {
		if cmd.Partition != kafka.Partition(cmd.AggregateID, b.group.Partitions()) {
			t.Errorf("%s lies in partition %d", cmd.AggregateID, cmd.Partition)
		}
		if got := at[cmd.Position()]; got.ID != cmd.ID {
			t.Errorf("at %v lies %q, want %q", cmd.Position(), got.ID, cmd.ID)
		}
	}
}

func TestWrongPartitionCountIsRefused(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender()
	contract := muster.NewGroup("accounts", muster.Partitions(12))
	err := s.SendCommands(t.Context(), contract, []*muster.Command{b.command("c1", "acc-1")})[0]
	if muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "6 partitions") || !strings.Contains(err.Error(), "12") {
		t.Errorf("error does not name both counts: %v", err)
	}
	if n := len(b.committed(b.group.CommandTopic(""))); n != 0 {
		t.Errorf("%d commands were written", n)
	}
	sound(t, s.SendCommands(t.Context(), b.group, []*muster.Command{b.command("c1", "acc-1")}))
}

func TestMissingCommandTopicIsNamed(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender()
	err := s.SendCommands(t.Context(), muster.NewGroup("nobody"), []*muster.Command{b.command("c1", "acc-1")})[0]
	if muster.CodeOf(err) != muster.FailedPrecondition || !strings.Contains(err.Error(), "nobody.commands") {
		t.Errorf("error: %v", err)
	}
}

func TestOneRefusedCommandLeavesTheOthers(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender()
	cmds := []*muster.Command{b.command("c1", "acc-1"), b.command("c2", "acc-1"), b.command("c3", "acc-1")}
	cmds[1].Payload = make([]byte, 2<<20)
	errs := s.SendCommands(t.Context(), b.group, cmds)
	if errs[0] != nil || errs[2] != nil {
		t.Errorf("errors %v", errs)
	}
	if _, definite := errors.AsType[*muster.Error](errs[1]); !definite || muster.CodeOf(errs[1]) != muster.InvalidArgument {
		t.Errorf("error of the large one: %v", errs[1])
	}
	if n := len(b.committed(b.group.CommandTopic(""))); n != 2 {
		t.Errorf("%d commands were written, want 2", n)
	}
}

// A caller that leaves gets an error that leaves the outcome open; its command may yet arrive, and others are not harmed.
func TestCallerThatLeaves(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender()
	sound(t, s.SendCommands(t.Context(), b.group, []*muster.Command{b.command("c0", "acc-1")}))
	held := b.cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() { left <- s.SendCommands(ctx, b.group, []*muster.Command{b.command("c1", "acc-1")})[0] }()
	if err := held.Wait(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	cancel()
	err := <-left
	if _, definite := errors.AsType[*muster.Error](err); definite || !errors.Is(err, context.Canceled) {
		t.Errorf("error of the one who left: %v", err)
	}
	stayed := make(chan error, 1)
	go func() { stayed <- s.SendCommands(t.Context(), b.group, []*muster.Command{b.command("c2", "acc-1")})[0] }()
	held.Remove()
	if err := <-stayed; err != nil {
		t.Errorf("error of the one who stayed: %v", err)
	}
	if n := len(b.committed(b.group.CommandTopic(""))); n != 3 {
		t.Errorf("%d commands were written, want 3", n)
	}
}

func TestCommandsWaitForRoom(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender(func(c *producer.SenderConfig) { c.CommandRoom = 4 })
	var cmds []*muster.Command
	for i := range 100 {
		cmds = append(cmds, b.command(fmt.Sprint("c", i), "acc-1"))
	}
	sound(t, s.SendCommands(t.Context(), b.group, cmds))
	for i, cmd := range cmds[1:] {
		if cmd.Offset <= cmds[i].Offset {
			t.Fatalf("order of one aggregate is lost at %d", i)
		}
	}
}

func TestSenderConfigNamesEveryFault(t *testing.T) {
	_, err := producer.OpenSender(t.Context(), producer.SenderConfig{CommandRoom: -1, DeliveryTimeout: time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "CommandRoom") || !strings.Contains(err.Error(), "DeliveryTimeout") {
		t.Errorf("error: %v", err)
	}
}

func TestClosedSenderSaysSo(t *testing.T) {
	b := newBed(t, 1)
	s := b.sender()
	sound(t, s.SendCommands(t.Context(), b.group, []*muster.Command{b.command("c0", "acc-1")}))
	s.Close()
	s.Close()
	if err := s.SendCommands(t.Context(), b.group, []*muster.Command{b.command("c1", "acc-1")})[0]; !errors.Is(err, muster.ErrShuttingDown) {
		t.Errorf("error: %v", err)
	}
}
