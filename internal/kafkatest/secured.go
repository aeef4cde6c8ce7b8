package kafkatest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Secured is one Apache Kafka broker with ACLs and three listeners: one in clear whose clients, User:ANONYMOUS, may do everything, for the
// test itself; one with TLS and SASL; one with TLS that asks for a client certificate. It checks rights with the StandardAuthorizer.
type Secured struct {
	*Cluster
	Authority *Authority // signs the brokers' certificates
	Clients   *Authority // signs those of clients
	SASL      string     // host:port of the listener with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER
	Mutual    string     // host:port of the listener for client certificates

	t     testing.TB
	admin *kadm.Client
}

// reauthentication is how often clients of the SASL listener have to show their credentials again.
const reauthentication = 3 * time.Second

// RealSecured starts one for this test alone; see [RealWith] for when. Users of PLAIN are given by name and password; those of SCRAM are made
// with [Secured.Password]; a bearer token is whatever [BearerToken] makes. The principal is User:<name>, that of a certificate User:CN=<name>.
func RealSecured(t testing.TB, plain map[string]string) *Secured {
	t.Helper()
	own, err := freeNode(0, nil)
	if err != nil {
		t.Fatal(err)
	}
	others, err := freeNode(1, []node{own})
	if err != nil {
		t.Fatal(err)
	}
	s := &Secured{
		t: t, Authority: NewAuthority(t), Clients: NewAuthority(t),
		SASL: "127.0.0.1:" + strconv.Itoa(others.port), Mutual: "127.0.0.1:" + strconv.Itoa(others.controller),
	}
	dir := t.TempDir()
	certificate := s.Authority.Issue("broker", time.Now().Add(time.Hour), "127.0.0.1")
	store, trust := filepath.Join(dir, "broker.pem"), filepath.Join(dir, "clients.pem")
	for file, text := range map[string]string{store: certificate.Key + certificate.Chain, trust: s.Clients.PEM} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	listeners := "PLAINTEXT://" + own.address() + ",SECURE://" + s.SASL + ",MUTUAL://" + s.Mutual + ",CONTROLLER://" + own.controllerAddress()
	set := map[string]string{
		"listeners":                      listeners,
		"advertised.listeners":           listeners,
		"listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURE:SASL_SSL,MUTUAL:SSL",
		"authorizer.class.name":          "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
		"super.users":                    "User:ANONYMOUS",

		"listener.name.secure.sasl.enabled.mechanisms":               "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
		"listener.name.secure.plain.sasl.jaas.config":                jaas("plain.PlainLoginModule", plain),
		"listener.name.secure.scram-sha-256.sasl.jaas.config":        jaas("scram.ScramLoginModule", nil),
		"listener.name.secure.scram-sha-512.sasl.jaas.config":        jaas("scram.ScramLoginModule", nil),
		"listener.name.secure.oauthbearer.sasl.jaas.config":          jaas("oauthbearer.OAuthBearerLoginModule", nil),
		"listener.name.secure.connections.max.reauth.ms":             strconv.FormatInt(reauthentication.Milliseconds(), 10),
		"listener.name.secure.oauthbearer.connections.max.reauth.ms": strconv.FormatInt(reauthentication.Milliseconds(), 10),
		"listener.name.mutual.ssl.client.auth":                       "required",
		"listener.name.mutual.ssl.truststore.type":                   "PEM",
		"listener.name.mutual.ssl.truststore.location":               trust,
		"connection.failed.authentication.delay.ms":                  "50",
	}
	for _, listener := range []string{"secure", "mutual"} {
		set["listener.name."+listener+".ssl.keystore.type"] = "PEM"
		set["listener.name."+listener+".ssl.keystore.location"] = store
	}
	s.Cluster = RealWith(t, Config{Ports: []int{own.port}, Properties: set})
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Addresses()...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	s.admin = kadm.NewClient(client)
	return s
}

// jaas is the value of a sasl.jaas.config for one mechanism.
func jaas(module string, users map[string]string) string {
	text := "org.apache.kafka.common.security." + module + " required"
	for name, password := range users {
		text += ` user_` + name + `="` + password + `"`
	}
	return text + ";"
}

// For gives the same cluster to another test, a part of the one it was started for: what cannot be done fails that one.
func (s *Secured) For(t testing.TB) *Secured {
	other := *s
	other.t = t
	return &other
}

// Admin is a client that may do everything.
func (s *Secured) Admin() *kadm.Client { return s.admin }

// Password makes a user of both SCRAM mechanisms, or gives one another password.
func (s *Secured) Password(user, password string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), readyLimit)
	defer cancel()
	for _, mechanism := range []kadm.ScramMechanism{kadm.ScramSha256, kadm.ScramSha512} { // a request may name a user once
		change := kadm.UpsertSCRAM{User: user, Mechanism: mechanism, Iterations: 4096, Password: password}
		done, err := s.admin.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{change})
		if err == nil {
			err = done.Error()
		}
		if err != nil {
			s.t.Fatalf("password of %s: %v", user, err)
		}
	}
}

// Allow gives a principal, written "User:<name>", the rights, in force when it returns; a resource name that ends with a star stands for all that begin so.
func (s *Secured) Allow(principal string, rights ...Grant) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), readyLimit)
	defer cancel()
	for _, right := range rights {
		done, err := s.admin.CreateACLs(ctx, right.builder().Allow(principal).AllowHosts())
		for _, one := range done {
			if err == nil {
				err = one.Err
			}
		}
		if err != nil {
			s.t.Fatalf("%s for %s: %v", right, principal, err)
		}
	}
	for _, right := range rights {
		s.inForce(ctx, principal, right, true)
	}
}

// inForce waits until the broker goes by a change of rights: it answers when the change is in the metadata log, and reads that a moment later. The
// controller reads before it.
func (s *Secured) inForce(ctx context.Context, principal string, right Grant, given bool) {
	s.t.Helper()
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		held, err := s.admin.DescribeACLs(ctx, right.builder().Allow(principal).AllowHosts())
		if err == nil && len(held) == 1 && held[0].Err == nil && len(held[0].Described) > 0 == given {
			return
		}
		select {
		case <-ctx.Done():
			s.t.Fatalf("%s of %s does not become %t: %v", right, principal, given, err)
		case <-again.C:
		}
	}
}

// Revoke takes a right away again; it is gone when it returns.
func (s *Secured) Revoke(principal string, right Grant) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), readyLimit)
	defer cancel()
	done, err := s.admin.DeleteACLs(ctx, right.builder().Allow(principal).AllowHosts())
	gone := 0
	for _, one := range done {
		gone += len(one.Deleted)
	}
	if err != nil || gone == 0 {
		s.t.Fatalf("%s of %s: %d taken away, %v", right, principal, gone, err)
	}
	s.inForce(ctx, principal, right, false)
}

// Grant is an operation on a resource: "Write topic accounts.events". Resources are topic, group, transactional-id and cluster.
type Grant string

func (g Grant) builder() *kadm.ACLBuilder {
	operation, rest, _ := strings.Cut(string(g), " ")
	resource, name, _ := strings.Cut(rest, " ")
	pattern := kadm.ACLPatternLiteral
	if prefix, is := strings.CutSuffix(name, "*"); is {
		name, pattern = prefix, kadm.ACLPatternPrefixed
	}
	b := kadm.NewACLs().ResourcePatternType(pattern).Operations(operations[operation])
	switch resource {
	case "topic":
		return b.Topics(name)
	case "group":
		return b.Groups(name)
	case "transactional-id":
		return b.TransactionalIDs(name)
	}
	return b.Clusters()
}

var operations = map[string]kadm.ACLOperation{
	"Read": kadm.OpRead, "Write": kadm.OpWrite, "Create": kadm.OpCreate, "Describe": kadm.OpDescribe,
	"DescribeConfigs": kadm.OpDescribeConfigs, "IdempotentWrite": kadm.OpIdempotentWrite,
}

// BearerToken is an unsigned token (RFC 7515, "alg": "none") for a user, which brokers of tests take until it expires.
func BearerToken(t testing.TB, user string, expires time.Time) string {
	t.Helper()
	part := func(claims map[string]any) string {
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	return part(map[string]any{"alg": "none"}) + "." +
		part(map[string]any{"sub": user, "iat": expires.Add(-time.Hour).Unix(), "exp": expires.Unix()}) + "."
}
