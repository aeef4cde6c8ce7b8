package service_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

func refusedNow(r *running, text string) func() bool {
	return func() bool {
		err := r.Ready()
		return err != nil && strings.Contains(err.Error(), text)
	}
}

func readyNow(r *running) func() bool { return func() bool { return r.Ready() == nil } }

// The password is changed at the brokers while owner and caller run: both say so, and go on when they have the new one.
func securedPasswordRotation(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	dir, log, registry := t.TempDir(), &logLines{}, prometheus.NewRegistry()
	ofOwner, ofCaller := filepath.Join(dir, "owner"), filepath.Join(dir, "caller")
	keep(t, ofOwner, "owner-secret\n")
	keep(t, ofCaller, "caller-secret\n")
	owning, calling := s.as("owner", kafka.ScramSHA256), s.as("caller", kafka.ScramSHA512)
	owning.Kafka.SASL.Password, owning.Kafka.SASL.PasswordFile = "", ofOwner
	calling.Kafka.SASL.Password, calling.Kafka.SASL.PasswordFile = "", ofCaller
	owning.Logger, owning.Metrics = log.logger(), registry
	owner, caller := start(t, owning, s.owner(nil)), start(t, calling)
	if err := s.pay(caller, "before"); err != nil {
		t.Fatal(err)
	}

	s.Password("owner", "fresh-password")
	s.Password("caller", "fresh-password")
	eventually(t, "the owner's fault", refusedNow(owner, "check SASL.Mechanism, SASL.User"))
	eventually(t, "the caller's fault", refusedNow(caller, `SCRAM-SHA-512 user "caller"`))
	for _, text := range []string{"SASL_AUTHENTICATION_FAILED", `SCRAM-SHA-256 user \"owner\"`} {
		if !strings.Contains(log.String(), text) {
			t.Errorf("the log does not say %s", text)
		}
	}
	if n := counted(t, registry, "muster_connection_failures_total", "auth"); n < 1 {
		t.Errorf("muster_connection_failures_total{cause=auth} is %v", n)
	}
	if strings.Contains(log.String(), "-secret") {
		t.Error("the log shows a secret")
	}

	keep(t, ofOwner, "fresh-password\n")
	keep(t, ofCaller, "fresh-password\n")
	if err := s.pay(caller, "after"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the owner's recovery", readyNow(owner))
	eventually(t, "the caller's recovery", readyNow(caller))
}

// A certificate in a file is replaced while the owner runs: the next connections show the new one. One that brokers do not take is told.
func securedCertificateReload(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	dir, soon := t.TempDir(), time.Now().Add(time.Hour)
	certificate, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	put := func(c kafkatest.Certificate) { keep(t, key, c.Key); keep(t, certificate, c.Chain) }
	put(s.Clients.Issue("owner", soon))
	owning := s.mutual("owner", kafkatest.Certificate{})
	owning.Kafka.TLS.CertFile, owning.Kafka.TLS.KeyFile = certificate, key
	owner := start(t, owning, s.owner(nil))
	caller := start(t, s.mutual("caller", s.Clients.Issue("caller", soon)))
	if err := s.pay(caller, "before"); err != nil {
		t.Fatal(err)
	}
	reconnect := func() {
		t.Helper()
		ctx, cancel := contextFor(t)
		defer cancel()
		if err := s.Broker(0).Restart(ctx); err != nil {
			t.Fatal(err)
		}
	}
	put(s.Authority.Issue("owner", soon)) // an authority that the brokers do not trust
	reconnect()
	eventually(t, "the fault", refusedNow(owner, "do not accept the client certificate"))
	put(s.Clients.Issue("owner", soon))
	eventually(t, "its end", readyNow(owner))
	if err := s.pay(caller, "after"); err != nil {
		t.Fatal(err)
	}
}

// Every right of the documented set is needed: without it, Open fails, or the log says what is missing, with operation and resource.
func securedMissingRights(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	group := s.group.Name()
	replies := "replies." + s.owning
	owning := func() (log *logLines, err error) {
		c := s.as("owner", kafka.ScramSHA256)
		log = &logLines{}
		c.Logger = log.logger()
		return log, open(t, c, s.owner(nil))
	}
	// Create comes first, while the topics are not there.
	for _, row := range []struct {
		right kafkatest.Grant
		says  string
	}{
		{kafkatest.Grant("Create topic " + group + ".*"), "lacks Create on topic " + group + "."},
		{kafkatest.Grant("DescribeConfigs topic " + group + ".*"), "lacks DescribeConfigs on topic " + group + "."},
		{kafkatest.Grant("DescribeConfigs topic " + replies), "lacks DescribeConfigs on topic " + replies},
		{kafkatest.Grant("Write transactional-id " + group + "/*"), "lacks Write on transactional-id " + group + "/one/"},
		{kafkatest.Grant("Read group " + group), "lacks Read on group " + group},
	} {
		s.Revoke("User:owner", row.right)
		if _, err := owning(); err == nil || muster.CodeOf(err) != muster.PermissionDenied || !strings.Contains(err.Error(), row.says) ||
			!strings.Contains(err.Error(), "User:owner") {
			t.Errorf("without %q: %v\ndoes not say %q", row.right, err, row.says)
		}
		s.Allow("User:owner", row.right)
	}
	if _, err := owning(); err != nil {
		t.Fatalf("with all rights: %v", err)
	}
}

// A right that is taken away while the service works: the log names it, and the work goes on when it is back.
func securedRightTakenAway(t *testing.T, cluster *kafkatest.Secured) {
	s := newSecured(t, cluster)
	group := s.group.Name()
	log := &logLines{}
	owning := s.as("owner", kafka.ScramSHA256)
	owning.Logger = log.logger()
	owner, caller := start(t, owning, s.owner(nil)), start(t, s.as("caller", kafka.ScramSHA256))
	if err := s.pay(caller, "before"); err != nil {
		t.Fatal(err)
	}
	for _, right := range []string{
		"Write topic " + group + ".events", "Read topic " + group + ".commands", "Read group " + group, "Write transactional-id " + group + "/*",
	} {
		s.Revoke("User:owner", kafkatest.Grant(right))
		stop, stopped := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; stop.Err() == nil; i++ {
				_, _ = s.deposit.Call(stop, caller.Client(), "acc-1", deposit{Amount: 1}, muster.Timeout(time.Second)) // work that needs the right
			}
		}()
		operation, rest, _ := strings.Cut(right, " ")
		says := "User:owner lacks " + operation + " on " + strings.TrimSuffix(rest, "*")
		eventually(t, says, func() bool { return strings.Contains(log.String(), says) })
		stopped()
		<-done
		s.Allow("User:owner", kafkatest.Grant(right))
		if err := s.pay(caller, "after "+operation+rest); err != nil {
			t.Fatalf("after %s was given back: %v", right, err)
		}
	}
	s.Revoke("User:caller", kafkatest.Grant("Write topic "+group+".commands"))
	eventually(t, "the caller's refusal", func() bool {
		_, err := s.deposit.Call(t.Context(), caller.Client(), "acc-1", deposit{Amount: 1}, muster.Timeout(time.Second))
		return muster.CodeOf(err) == muster.PermissionDenied && strings.Contains(err.Error(), "User:caller lacks Write on topic "+group+".commands")
	})
	_ = owner
}
