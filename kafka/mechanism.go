package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// mechanism carries [SASL] to the client library, which asks it at every authentication.
type mechanism struct{ config SASL }

// Name implements sasl.Mechanism.
func (m mechanism) Name() string { return m.config.Mechanism }

// Authenticate implements sasl.Mechanism.
func (m mechanism) Authenticate(ctx context.Context, broker string) (sasl.Session, []byte, error) {
	inner, err := m.inner(ctx)
	if err != nil {
		return nil, nil, &ConnectError{Broker: broker, Cause: CauseAuth, Err: err}
	}
	session, first, err := inner.Authenticate(ctx, broker)
	if err != nil {
		return nil, nil, &ConnectError{Broker: broker, Cause: CauseAuth, Err: err}
	}
	return dialogue{inner: session, mechanism: m.config.Mechanism, broker: broker}, first, nil
}

// inner gives the library's mechanism with the credentials of this moment.
func (m mechanism) inner(ctx context.Context) (sasl.Mechanism, error) {
	if m.config.Mechanism == OAuthBearer {
		t, err := m.config.token(ctx, time.Now())
		return oauth.Auth{Token: string(t.Value), Extensions: t.Extensions}.AsMechanism(), err
	}
	user, password, err := m.config.login(ctx)
	if err != nil {
		return nil, err
	}
	switch m.config.Mechanism {
	case ScramSHA256:
		return scram.Auth{User: user, Pass: string(password)}.AsSha256Mechanism(), nil
	case ScramSHA512:
		return scram.Auth{User: user, Pass: string(password)}.AsSha512Mechanism(), nil
	}
	return plain.Auth{User: user, Pass: string(password)}.AsMechanism(), nil
}

// dialogue is one authentication.
type dialogue struct {
	inner             sasl.Session
	mechanism, broker string
}

// Challenge implements sasl.Session.
func (d dialogue) Challenge(said []byte) (bool, []byte, error) {
	if d.mechanism == OAuthBearer && len(said) > 0 {
		return false, nil, &ConnectError{Broker: d.broker, Cause: CauseAuth, Err: tokenRefused(said)}
	}
	done, answer, err := d.inner.Challenge(said)
	if err != nil { // with SCRAM the broker proves that it knows the password as well
		return false, nil, &ConnectError{Broker: d.broker, Cause: CauseAuth, Err: err}
	}
	return done, answer, nil
}

// tokenRefused reads what RFC 7628, 3.2.2 has a server say about a token it does not take.
func tokenRefused(said []byte) error {
	var answer struct{ Status, Scope string }
	if json.Unmarshal(said, &answer) != nil || answer.Status == "" {
		return errors.New("the broker did not take the token")
	}
	text := "the broker did not take the token: " + answer.Status
	if answer.Scope != "" {
		text += ", it wants the scope " + answer.Scope
	}
	return errors.New(text)
}
