package service_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// A stateless handler that waits holds up its own partition and no other one, on one lane, too.
func TestHandlerThatWaits(t *testing.T) {
	const partitions = 6
	g := muster.NewGroup(kafkatest.UniqueName(t, "waits"), muster.Partitions(partitions))
	do := muster.NewCommand[string, string](g, "do")
	held, free := make(chan struct{}, 1), make(chan struct{})
	h := muster.HandleCommand(do, func(ctx context.Context, _ *muster.Command, in string, _ muster.Writer) (string, error) {
		if in == "wait" {
			held <- struct{}{}
			select {
			case <-free:
			case <-ctx.Done():
			}
		}
		return in, nil
	})
	s := start(t, service.Config{Name: g.Name(), Brokers: kafkatest.Brokers(t), DataDir: t.TempDir(), Lanes: 1}, h)
	waited := make(chan error, 1)
	go func() {
		_, err := do.Call(t.Context(), s.Client(), "a", "wait")
		waited <- err
	}()
	<-held
	answered := 0
	for i := range 40 {
		id := fmt.Sprint("b", i)
		if kafka.Partition(id, partitions) == kafka.Partition("a", partitions) {
			continue
		}
		if got, err := do.Call(t.Context(), s.Client(), id, "quick"); err != nil || got != "quick" {
			t.Fatalf("%s: %q, %v", id, got, err)
		}
		answered++
	}
	if answered < 10 {
		t.Fatalf("%d calls went to other partitions", answered)
	}
	select {
	case err := <-waited:
		t.Fatalf("the held call ended: %v", err)
	default:
	}
	close(free)
	if err := <-waited; err != nil {
		t.Fatal(err)
	}
}
