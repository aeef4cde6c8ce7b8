package service_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/service"
)

// Replicas of a build that shows no badge are replaced one by one by ones that do, and back, under load: callers that retry see no error,
// nothing is lost or doubled, and the order holds.
func TestRollingUpgrade(t *testing.T) {
	r := newRun(t, anyBrokers(t), 6, 2)
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	owners := make([]*running, len(dirs))
	deploy := func(i int, old bool) {
		cfg := r.ownerConfig(fmt.Sprintf("owner-%d", i), dirs[i])
		if old { // the balancer as the library has it, without what this build puts around it
			cfg.Kafka.Options = append(cfg.Kafka.Options, kgo.Balancers(kgo.CooperativeStickyBalancer()))
		}
		owners[i] = start(t, cfg, r.owner())
	}
	for i := range owners {
		deploy(i, true)
	}
	stop := r.steady(8, 30)
	for _, old := range []bool{false, true} { // the upgrade, and the way back
		for i := range owners {
			r.awaitAnswers(50)
			owners[i].end()
			deploy(i, old)
		}
	}
	r.awaitAnswers(50)
	stop()
	r.report()
	j := r.verify()
	for i, owner := range owners {
		owner.end()
		r.wantStore(dirs[i], j)
	}
}

// Another service on a group that is owned does not open, and says whose it is; a replica of the owner does.
func TestASecondServiceOnAGroup(t *testing.T) {
	b := newBank(t)
	cfg := service.Config{Name: kafkatest.UniqueName(t, "bank"), Instance: "bank-1", Brokers: kafkatest.Brokers(t), DataDir: t.TempDir()}
	owner := start(t, cfg, b.owner(nil))
	other := cfg
	other.Name, other.Instance, other.DataDir = kafkatest.UniqueName(t, "ledger"), "ledger-1", t.TempDir()
	err := open(t, other, b.owner(nil))
	refusal, is := errors.AsType[*muster.Error](err)
	if !is || refusal.Code != muster.FailedPrecondition || refusal.Reason != consumer.ReasonRival {
		t.Fatalf("%v; want reason %s", err, consumer.ReasonRival)
	}
	for _, text := range []string{b.group.Name(), cfg.Name, "bank-1", "127.0.0.1", other.Name} {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v\ndoes not name %s", err, text)
		}
	}
	replica := cfg
	replica.Instance, replica.DataDir = "bank-2", t.TempDir()
	if err := open(t, replica, b.owner(nil)); err != nil {
		t.Errorf("a replica: %v", err)
	}
	owner.end() // leaves the group
	if err := open(t, other, b.owner(nil)); err != nil {
		t.Errorf("after the owner has left: %v", err)
	}
}
