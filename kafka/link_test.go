package kafka_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
)

// logbook is a log that may be read while it is written.
type logbook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

// Write implements io.Writer.
func (l *logbook) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logbook) wants(t *testing.T, texts ...string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, text := range texts {
		if !strings.Contains(l.text.String(), text) {
			t.Errorf("the log does not say %q:\n%s", text, l.text.String())
		}
	}
}

// The link knows of refused connections and of their end, and the log says what to change.
func TestLink(t *testing.T) {
	s := newSecured(t, nil)
	var log logbook
	var link kafka.Link
	right := s.config()
	right.Link, right.Logger = &link, slog.New(slog.NewTextHandler(&log, nil))
	wrong := right
	wrong.TLS.CAPEM = kafkatest.NewAuthority(t).PEM
	s.refused(t, wrong, "TLS.CAFile")
	if err := link.Err(); err == nil || !strings.Contains(err.Error(), "set TLS.CAFile") || link.Failures(kafka.CauseTLS) == 0 {
		t.Errorf("after a refused connection: %v, %d failures", err, link.Failures(kafka.CauseTLS))
	}
	log.wants(t, "level=WARN", "set TLS.CAFile", s.brokers[0])
	wrong = right
	wrong.SASL = kafka.SASL{Mechanism: kafka.OAuthBearer, Token: bearer}
	s.refused(t, wrong, "sasl.enabled.mechanisms")
	if err := link.Err(); err == nil || link.Failures(kafka.CauseAuth) == 0 {
		t.Errorf("after refused authentication: %v, %d failures", err, link.Failures(kafka.CauseAuth))
	}
	log.wants(t, "level=ERROR", "sasl.enabled.mechanisms")
	s.accepted(t, right)
	if err := link.Err(); err != nil {
		t.Errorf("after a connection that works: %v", err)
	}
}

// A broker that is not there is counted, and is no fault of the settings.
func TestLinkOfAnAbsentBroker(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	var link kafka.Link
	_, err = kafka.OpenAdmin(within(t), kafka.Config{Brokers: []string{address}, Link: &link})
	if err == nil || link.Failures(kafka.CauseDial) == 0 || link.Err() != nil {
		t.Errorf("%v; %d failures, %v", err, link.Failures(kafka.CauseDial), link.Err())
	}
}

// Certificates in files are read for every connection: a replaced one is used by the next, and while they do not fit together the former
// ones are.
func TestCertificatesAreReadAgain(t *testing.T) {
	clients := kafkatest.NewAuthority(t)
	s := newSecured(t, clients)
	dir := t.TempDir()
	certificate, key, ca := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")
	put := func(c kafkatest.Certificate, authority string) {
		write(t, certificate, c.Chain)
		write(t, key, c.Key)
		write(t, ca, authority)
	}
	soon := time.Now().Add(time.Hour)
	put(kafkatest.NewAuthority(t).Issue("stranger", soon), s.authority.PEM)
	var log logbook
	config := s.config()
	config.TLS = kafka.TLS{Enabled: true, CAFile: ca, CertFile: certificate, KeyFile: key}
	config.Link, config.Logger = &kafka.Link{}, slog.New(slog.NewTextHandler(&log, nil))
	client, err := config.Client()
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.Ping(within(t)); err == nil {
		t.Fatal("a stranger was let in")
	}
	put(clients.Issue("bank", soon), s.authority.PEM)
	if err := client.Ping(within(t)); err != nil {
		t.Fatalf("after the certificate was replaced: %v", err)
	}
	write(t, key, "half a k")
	fresh, err := config.Client()
	if err == nil {
		fresh.Close()
		t.Error("a client was made of files that do not fit together")
	}
	reconnect := func() error {
		for range 2 { // the client has a connection to the seed address, and one to the broker it learnt of
			s.cluster.ControlKey(int16(kmsg.Metadata), func(kmsg.Request) (kmsg.Response, error, bool) { return nil, errors.New("cut"), true })
		}
		if err := client.Ping(within(t)); err == nil {
			t.Fatal("the connection was not cut")
		}
		return client.Ping(within(t))
	}
	if err := reconnect(); err != nil {
		t.Fatalf("while the files do not fit together: %v", err)
	}
	log.wants(t, "the former ones are used on", "are no pair")
	put(clients.Issue("bank", soon), kafkatest.NewAuthority(t).PEM)
	if err := reconnect(); err == nil || !strings.Contains(err.Error(), "unknown authority") {
		t.Errorf("after the authority was replaced: %v", err)
	}
	put(clients.Issue("bank", soon), s.authority.PEM)
	if err := client.Ping(within(t)); err != nil {
		t.Errorf("after it was put right: %v", err)
	}
}
