package service_test

import (
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/mustertest"
	"github.com/seed-3eec0498/muster/projector"
	"github.com/seed-3eec0498/muster/service"
)

// The control topic keeps the promises of the port.
func TestControlTopic(t *testing.T) {
	cfg := kafka.Config{Brokers: anyBrokers(t)}
	admin, err := kafka.OpenAdmin(bounded(t), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	mustertest.Control(t, func(t *testing.T) (one, other projector.Control) {
		name := kafkatest.UniqueName(t, "bank")
		if err := admin.EnsureControl(bounded(t), name, true); err != nil {
			t.Fatal(err)
		}
		open := func() projector.Control {
			table, err := consumer.OpenTable(bounded(t), cfg, muster.ControlTopic("", name), nil)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(table.Close)
			return service.NewControl(table)
		}
		return open(), open()
	})
}
