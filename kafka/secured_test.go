package kafka_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// secured is an in-process cluster behind TLS and SCRAM.
type secured struct {
	authority *kafkatest.Authority
	brokers   []string
	cluster   *kfake.Cluster
}

// newSecured starts one whose brokers ask for certificates of clients when that is set.
func newSecured(t *testing.T, clients *kafkatest.Authority, opts ...kfake.Opt) *secured {
	t.Helper()
	s := &secured{authority: kafkatest.NewAuthority(t)}
	certificate := s.authority.Issue("broker", time.Now().Add(time.Hour), "127.0.0.1", "kafka.internal")
	opts = append([]kfake.Opt{
		kfake.NumBrokers(1), kfake.TLS(s.authority.Server(certificate, clients)), kfake.EnableSASL(),
		kfake.Superuser(kafka.ScramSHA256, "admin", "right"), kfake.Superuser(kafka.Plain, "admin", "right"),
	}, opts...)
	cluster, err := kfake.NewCluster(opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	s.brokers, s.cluster = cluster.ListenAddrs(), cluster
	return s
}

// config is the right one.
func (s *secured) config() kafka.Config {
	return kafka.Config{
		Brokers: s.brokers,
		TLS:     kafka.TLS{Enabled: true, CAPEM: s.authority.PEM},
		SASL:    kafka.SASL{Mechanism: kafka.ScramSHA256, User: "admin", Password: "right"},
	}
}

// refused holds that the connection fails by itself, as a question of identity, with an error that names the broker and says all of it.
func (s *secured) refused(t *testing.T, c kafka.Config, says ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	admin, err := kafka.OpenAdmin(ctx, c)
	if err == nil {
		admin.Close()
		t.Errorf("connected, though %q was expected", says)
		return
	}
	// A connection that is closed without a word is Unavailable: a broker that was killed looks the same.
	if code := muster.CodeOf(err); code != muster.Unauthenticated && (code != muster.Unavailable || !strings.Contains(err.Error(), "closed the connection")) {
		t.Errorf("code %v: %v", code, err)
	}
	for _, text := range append(says, s.brokers[0]) {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("%v\ndoes not say %q", err, text)
		}
	}
	if ctx.Err() != nil {
		t.Errorf("the time was over before it said %v", err)
	}
}

func (s *secured) accepted(t *testing.T, c kafka.Config) {
	t.Helper()
	admin, err := kafka.OpenAdmin(within(t), c)
	if err != nil {
		t.Errorf("%v", err)
		return
	}
	admin.Close()
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestSecuredConnection(t *testing.T) {
	s := newSecured(t, nil)
	file := filepath.Join(t.TempDir(), "secret")
	write(t, file, "right\n")
	for name, change := range map[string]func(*kafka.Config){
		"values":        func(*kafka.Config) {},
		"plain":         func(c *kafka.Config) { c.SASL.Mechanism = kafka.Plain },
		"password file": func(c *kafka.Config) { c.SASL.Password, c.SASL.PasswordFile = "", file },
		"function": func(c *kafka.Config) {
			c.SASL = kafka.SASL{Mechanism: kafka.ScramSHA256, Credentials: func(context.Context) (string, kafka.Secret, error) { return "admin", "right", nil }}
		},
		"server name":     func(c *kafka.Config) { c.TLS.ServerName = "kafka.internal" },
		"any certificate": func(c *kafka.Config) { c.TLS = kafka.TLS{Enabled: true, DangerouslyAcceptAnyCertificate: true} },
	} {
		t.Run(name, func(t *testing.T) {
			c := s.config()
			change(&c)
			s.accepted(t, c)
		})
	}
}

func TestRefusedConnection(t *testing.T) {
	s := newSecured(t, nil)
	strange := kafkatest.NewAuthority(t)
	for name, row := range map[string]struct {
		change func(*kafka.Config)
		says   string
	}{
		"strange authority":   {func(c *kafka.Config) { c.TLS.CAPEM = strange.PEM }, "set TLS.CAFile to the authority"},
		"system authorities":  {func(c *kafka.Config) { c.TLS.CAPEM = "" }, "set TLS.CAFile to the authority"},
		"wrong name":          {func(c *kafka.Config) { c.TLS.ServerName = "other.internal" }, "TLS.ServerName"},
		"no TLS":              {func(c *kafka.Config) { c.TLS = kafka.TLS{} }, "set TLS.Enabled"},
		"mechanism not there": {func(c *kafka.Config) { c.SASL = kafka.SASL{Mechanism: kafka.OAuthBearer, Token: bearer} }, "sasl.enabled.mechanisms"},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.config()
			row.change(&c)
			s.refused(t, c, row.says)
		})
	}
	c := s.config()
	c.TLS.CAPEM = "nonsense"
	if _, err := c.Client(); err == nil || !strings.Contains(err.Error(), "TLS.CAPEM has no certificate") {
		t.Errorf("%v", err)
	}
}

func TestExpiredCertificateOfABroker(t *testing.T) {
	s := newSecured(t, nil)
	expired := s.authority.Issue("broker", time.Now().Add(-time.Minute), "127.0.0.1")
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(s.authority.Server(expired, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	s.brokers = cluster.ListenAddrs()
	s.refused(t, s.config(), "certificate has expired", "has to be renewed")
}

// Where the port does not speak TLS, a hello is not answered with one.
func TestTLSWithABrokerWithout(t *testing.T) {
	s := newSecured(t, nil)
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	s.brokers = cluster.ListenAddrs()
	s.refused(t, s.config(), "does this port speak TLS?")
}

// Client certificates: the right one, none, a strange one, an expired one.
func TestClientCertificate(t *testing.T) {
	clients := kafkatest.NewAuthority(t)
	s := newSecured(t, clients)
	with := func(c kafkatest.Certificate) kafka.Config {
		config := s.config()
		config.TLS.CertPEM, config.TLS.KeyPEM = c.Chain, kafka.Secret(c.Key)
		return config
	}
	soon := time.Now().Add(time.Hour)
	s.accepted(t, with(clients.Issue("bank", soon)))
	s.refused(t, s.config(), "set TLS.CertFile and TLS.KeyFile")
	s.refused(t, with(kafkatest.NewAuthority(t).Issue("stranger", soon)), "do not accept the client certificate", "certificate of CN=stranger")
	if _, err := with(clients.Issue("old", time.Now().Add(-time.Minute))).Client(); err == nil || !strings.Contains(err.Error(), "CN=old) expired at") {
		t.Errorf("%v", err)
	}
	pair := with(clients.Issue("bank", soon))
	pair.TLS.KeyPEM = kafka.Secret(clients.Issue("bank", soon).Key)
	if _, err := pair.Client(); err == nil || !strings.Contains(err.Error(), "TLS.CertPEM and TLS.KeyPEM are no pair") {
		t.Errorf("%v", err)
	}
}
