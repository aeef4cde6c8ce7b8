package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Why a connection did not come about, as [ConnectError.Cause] and as the label of the metric. The words are stable.
const (
	CauseDial = "dial" // nobody answers at the address
	CauseTLS  = "tls"  // no common understanding about encryption, or a certificate is not accepted
	CauseAuth = "auth" // the credentials could not be had or are not accepted
)

// ConnectError says why there is no connection to a broker.
type ConnectError struct {
	Broker string // host:port that was dialled
	Cause  string // one of the Cause constants
	Err    error
}

// Error names the broker and what went wrong.
func (e *ConnectError) Error() string {
	switch e.Cause {
	case CauseTLS:
		return fmt.Sprintf("broker %s: TLS: %v", e.Broker, e.Err)
	case CauseAuth:
		return fmt.Sprintf("broker %s: authentication: %v", e.Broker, e.Err)
	}
	return fmt.Sprintf("broker %s: %v", e.Broker, e.Err)
}

// Unwrap gives what is behind it.
func (e *ConnectError) Unwrap() error { return e.Err }

// next says what to change.
func (e *ConnectError) next() string {
	if e.Cause == CauseAuth {
		return nextAuth
	}
	if e.Cause != CauseTLS {
		return nextReach
	}
	if _, is := errors.AsType[x509.HostnameError](e.Err); is {
		return "dial the brokers by a name that is in their certificate (Brokers and the brokers' advertised.listeners), or set TLS.ServerName to one"
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](e.Err); is && invalid.Reason == x509.Expired {
		return "the broker's certificate has to be renewed; if it has been, look at this machine's clock"
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](e.Err); is {
		return "set TLS.CAFile to the authority that signed the brokers' certificates"
	}
	if _, is := errors.AsType[tls.RecordHeaderError](e.Err); is || errors.Is(e.Err, io.EOF) || errors.Is(e.Err, errNoHello) {
		return "does this port speak TLS? if not, take the address of the TLS listener, or turn TLS.Enabled off"
	}
	if alert, is := errors.AsType[alertError](e.Err); is {
		return alert.next()
	}
	if errors.Is(e.Err, errAlert) {
		return "this port wants TLS; set TLS.Enabled"
	}
	return "look at the TLS settings"
}

// alertError is how a broker ended TLS. The standard library does not export the type, only its text.
type alertError struct {
	text  string
	shown bool // this side had a certificate to show
}

// Error implements error.
func (a alertError) Error() string { return "the broker ended it: " + a.text }

func (a alertError) next() string {
	switch {
	case strings.Contains(a.text, "certificate") && !a.shown:
		return "the brokers ask for a client certificate; set TLS.CertFile and TLS.KeyFile"
	case strings.Contains(a.text, "protocol version"), strings.Contains(a.text, "handshake failure"):
		return "the brokers must offer TLS 1.2 or newer; where they ask for client certificates, set TLS.CertFile and TLS.KeyFile"
	}
	return "the brokers do not accept the client certificate of TLS.CertFile: it must not be expired, and be signed by an authority of their truststore"
}

const nextAuth = "check SASL.Mechanism, SASL.User and the password or token against what the brokers know"

// connectCause tells which kind of connection trouble an error is; empty when it is none that a setting mends.
func connectCause(err error) string {
	if c, is := errors.AsType[*ConnectError](err); is {
		return c.Cause
	}
	if first, is := errors.AsType[*kgo.ErrFirstReadEOF](err); is {
		if strings.Contains(first.Error(), "SASL") {
			return CauseAuth
		}
		return CauseTLS
	}
	if errors.Is(err, kerr.SaslAuthenticationFailed) || errors.Is(err, kerr.UnsupportedSaslMechanism) || errors.Is(err, kerr.IllegalSaslState) {
		return CauseAuth
	}
	return ""
}
