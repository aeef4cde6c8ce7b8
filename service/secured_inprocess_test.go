package service_test

import (
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// Every connection of a service goes through TLS and SASL: the in-process broker here takes no other. The tests on Apache Kafka look closer.
func TestSecuredInProcess(t *testing.T) {
	authority := kafkatest.NewAuthority(t)
	certificate := authority.Issue("broker", time.Now().Add(time.Hour), "127.0.0.1")
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(authority.Server(certificate, nil)), kfake.EnableSASL(),
		kfake.Superuser(kafka.ScramSHA512, "bank", "hush"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	b := newBank(t)
	cfg := service.Config{Name: "bank", Brokers: cluster.ListenAddrs(), DataDir: t.TempDir()}
	cfg.Kafka.TLS = kafka.TLS{Enabled: true, CAPEM: authority.PEM}
	cfg.Kafka.SASL = kafka.SASL{Mechanism: kafka.ScramSHA512, User: "bank", Password: "hush"}
	owner := start(t, cfg, b.owner(nil))
	if got, err := b.deposit.Call(t.Context(), owner.Client(), "acc-1", deposit{Amount: 3}); err != nil || got.Balance != 3 {
		t.Errorf("%+v, %v", got, err)
	}
	bare := cfg
	bare.Kafka.TLS, bare.Kafka.SASL, bare.DataDir = kafka.TLS{}, kafka.SASL{}, t.TempDir()
	if err := open(t, bare, b.owner(nil)); err == nil || !strings.Contains(err.Error(), "set TLS.Enabled") {
		t.Errorf("in clear: %v", err)
	}
}
