package service_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// rightsOfOwner are those that docs/security.md lists for the owner of a group, where the service's own topics are made by it.
func rightsOfOwner(group, name string) []kafkatest.Grant {
	return grants(`
		Read topic G.commands
		Read topic G.events
		Write topic G.events
		Read topic G.snapshots
		Write topic G.snapshots
		Read topic G.dead
		Write topic G.dead
		Create topic G.*
		DescribeConfigs topic G.*
		Write topic replies.*
		Read topic replies.S
		Create topic replies.S
		DescribeConfigs topic replies.S
		Read group G
		Write transactional-id G/*`, group, name)
}

// rightsOfCaller are those for a service that sends commands to a group and reads the replies.
func rightsOfCaller(group, name string) []kafkatest.Grant {
	return grants(`
		Write topic G.commands
		Read topic replies.S
		Create topic replies.S
		DescribeConfigs topic replies.S`, group, name)
}

func grants(list, group, name string) (all []kafkatest.Grant) {
	for line := range strings.Lines(list) {
		if line = strings.TrimSpace(line); line != "" {
			all = append(all, kafkatest.Grant(strings.NewReplacer(" G", " "+group, "replies.S", "replies."+name).Replace(line)))
		}
	}
	return all
}

// secured is a secured broker with a bank on it; the owner and the caller are two users that have the documented rights and no more.
type secured struct {
	*kafkatest.Secured
	t *testing.T
	*bank
	owning, calling string // names of the services
}

// TestSecured runs all of them on one cluster. Each has topics of its own; the passwords are set anew.
func TestSecured(t *testing.T) {
	cluster := kafkatest.RealSecured(t, map[string]string{
		"owner": "owner-secret", "caller": "caller-secret", "publisher": "publisher-secret",
	})
	for _, part := range []struct {
		name string
		test func(*testing.T, *kafkatest.Secured)
	}{
		{"Line", securedLine},
		{"Refusals", securedRefusals},
		{"MissingRights", securedMissingRights},
		{"RightTakenAway", securedRightTakenAway},
		{"PasswordRotation", securedPasswordRotation},
		{"Publisher", securedPublisher},
		{"Privacy", securedPrivacy},
		{"CertificateReload", securedCertificateReload}, // restarts the broker
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, cluster.For(t)) })
	}
}

func newSecured(t *testing.T, cluster *kafkatest.Secured) *secured {
	t.Helper()
	s := &secured{
		Secured: cluster, t: t,
		bank: newBank(t, muster.Partitions(2)), owning: kafkatest.UniqueName(t, "bank"), calling: kafkatest.UniqueName(t, "desk"),
	}
	s.Password("owner", "owner-secret")
	s.Password("caller", "caller-secret")
	for _, form := range []string{"User:", "User:CN="} {
		s.Allow(form+"owner", rightsOfOwner(s.group.Name(), s.owning)...)
		s.Allow(form+"caller", rightsOfCaller(s.group.Name(), s.calling)...)
	}
	return s
}

// as is the configuration of a service at the SASL listener.
func (s *secured) as(user, mechanism string) service.Config {
	c := service.Config{Name: s.calling, Brokers: []string{s.SASL}, SessionTimeout: 2 * time.Second, ReplyPartitions: 1}
	if user == "owner" {
		c.Name, c.DataDir, c.Instance = s.owning, s.t.TempDir(), "one"
	}
	c.Kafka.TLS = kafka.TLS{Enabled: true, CAPEM: s.Authority.PEM}
	c.Kafka.SASL = kafka.SASL{Mechanism: mechanism, User: user, Password: kafka.Secret(user + "-secret")}
	if mechanism == kafka.OAuthBearer {
		c.Kafka.SASL = kafka.SASL{Mechanism: mechanism, Token: func(context.Context) (kafka.Token, error) {
			expires := time.Now().Add(time.Minute)
			return kafka.Token{Value: kafka.Secret(kafkatest.BearerToken(s.t, user, expires)), Expiry: expires}, nil
		}}
	}
	return c
}

// mutual is the configuration of a service at the listener for client certificates.
func (s *secured) mutual(user string, certificate kafkatest.Certificate) service.Config {
	c := s.as(user, kafka.Plain)
	c.Brokers, c.Kafka.SASL = []string{s.Mutual}, kafka.SASL{}
	c.Kafka.TLS.CertPEM, c.Kafka.TLS.KeyPEM = certificate.Chain, kafka.Secret(certificate.Key)
	return c
}

// pay has a deposit answered, sent again with the same id until it is.
func (s *secured) pay(caller *running, id string) error {
	ctx, cancel := contextFor(s.t)
	defer cancel()
	for {
		_, err := s.deposit.Call(ctx, caller.Client(), "acc-1", deposit{Amount: 1}, muster.CommandID(id), muster.Timeout(3*time.Second))
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

// The whole line with every mechanism, each side with the documented rights and no more.
func securedLine(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	soon := time.Now().Add(time.Hour)
	for name, sides := range map[string][2]service.Config{
		"SCRAM-SHA-256": {s.as("owner", kafka.ScramSHA256), s.as("caller", kafka.ScramSHA256)},
		"SCRAM-SHA-512": {s.as("owner", kafka.ScramSHA512), s.as("caller", kafka.ScramSHA512)},
		"PLAIN":         {s.as("owner", kafka.Plain), s.as("caller", kafka.Plain)},
		"OAUTHBEARER":   {s.as("owner", kafka.OAuthBearer), s.as("caller", kafka.OAuthBearer)},
		"certificates":  {s.mutual("owner", s.Clients.Issue("owner", soon)), s.mutual("caller", s.Clients.Issue("caller", soon))},
	} {
		t.Run(name, func(t *testing.T) {
			owner, caller := start(t, sides[0], s.owner(nil)), start(t, sides[1])
			if err := s.pay(caller, name); err != nil {
				t.Error(err)
			}
			if _, err := s.deposit.Call(t.Context(), owner.Client(), "acc-1", deposit{Amount: 1}); muster.CodeOf(err) != muster.PermissionDenied ||
				!strings.Contains(err.Error(), "lacks Write on topic "+s.group.Name()+".commands") {
				t.Errorf("the owner has no right to send commands, and got %v", err)
			}
			caller.end()
			owner.end()
		})
	}
}

// open tells how Open fails.
func open(t *testing.T, c service.Config, parts ...service.Part) error {
	t.Helper()
	ctx, cancel := contextFor(t)
	defer cancel()
	opened, err := service.Open(ctx, c, parts...)
	if err == nil {
		if err := opened.Close(); err != nil {
			t.Error(err)
		}
	} else if ctx.Err() != nil {
		t.Errorf("the time was over before: %v", err)
	}
	return err
}

// Each wrong thing gives an error at Open that says what to change.
func securedRefusals(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	change := func(c service.Config, f func(*kafka.Config)) service.Config { f(&c.Kafka); return c }
	caller := s.as("caller", kafka.ScramSHA256)
	plaintext := caller
	plaintext.Brokers = s.Addresses()
	for name, row := range map[string]struct {
		config service.Config
		says   []string
	}{
		"wrong password":        {change(caller, func(k *kafka.Config) { k.SASL.Password = "wrong" }), []string{`SCRAM-SHA-256 user "caller"`, "check SASL.Mechanism, SASL.User"}},
		"wrong password 512":    {change(s.as("caller", kafka.ScramSHA512), func(k *kafka.Config) { k.SASL.Password = "wrong" }), []string{`SCRAM-SHA-512 user "caller"`}},
		"wrong password, PLAIN": {change(s.as("caller", kafka.Plain), func(k *kafka.Config) { k.SASL.Password = "wrong" }), []string{`PLAIN user "caller"`}},
		"unknown user":          {change(caller, func(k *kafka.Config) { k.SASL.User = "nobody" }), []string{`user "nobody"`}},
		"strange authority":     {change(caller, func(k *kafka.Config) { k.TLS.CAPEM = s.Clients.PEM }), []string{"set TLS.CAFile"}},
		"wrong host name":       {change(caller, func(k *kafka.Config) { k.TLS.ServerName = "kafka.internal" }), []string{"kafka.internal", "TLS.ServerName"}},
		"no TLS":                {change(caller, func(k *kafka.Config) { k.TLS = kafka.TLS{} }), []string{"set TLS.Enabled"}},
		"TLS to a plain port":   {plaintext, []string{"does this port speak TLS?"}},
		"no SASL":               {change(caller, func(k *kafka.Config) { k.SASL = kafka.SASL{} }), []string{"set SASL.Mechanism"}},
		"SASL to a plain port":  {change(plaintext, func(k *kafka.Config) { k.TLS = kafka.TLS{} }), []string{"leave SASL.Mechanism empty"}},
		"expired token": {change(s.as("caller", kafka.OAuthBearer), func(k *kafka.Config) {
			k.SASL.Token = func(context.Context) (kafka.Token, error) {
				return kafka.Token{Value: kafka.Secret(kafkatest.BearerToken(t, "caller", past))}, nil
			}
		}), []string{"did not take the token: invalid_token"}},
		"no client certificate": {change(s.mutual("caller", kafkatest.Certificate{}), func(*kafka.Config) {}), []string{"set TLS.CertFile"}},
		"strange client certificate": {
			s.mutual("caller", s.Authority.Issue("caller", soon)),
			[]string{"certificate of CN=caller", "do not accept the client certificate"},
		},
		"expired client certificate": {s.mutual("caller", s.Clients.Issue("caller", past)), []string{"CN=caller", "expired at"}},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t, row.config)
			if err == nil {
				t.Fatal("opened")
			}
			for _, text := range append(row.says, row.config.Brokers[0]) {
				if name == "expired client certificate" && text == row.config.Brokers[0] {
					continue // found before anybody is dialled
				}
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%v\ndoes not say %q", err, text)
				}
			}
			if strings.Contains(err.Error(), "-secret") {
				t.Errorf("%v\nshows a secret", err)
			}
		})
	}
}

// keep writes a text into a file that is replaced in one step.
func keep(t *testing.T, file, text string) {
	t.Helper()
	fresh := filepath.Join(filepath.Dir(file), "."+filepath.Base(file))
	if err := os.WriteFile(fresh, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(fresh, file); err != nil {
		t.Fatal(err)
	}
}
