package kafka_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/seed-3eec0498/muster/kafka"
)

func noCredentials(context.Context) (string, kafka.Secret, error) { return "", "", nil }

func noToken(context.Context) (kafka.Token, error) { return kafka.Token{}, nil }

// What does not fit together is told by Validate, before anybody is asked.
func TestSecuritySettingsThatDoNotFit(t *testing.T) {
	on := kafka.TLS{Enabled: true}
	for says, c := range map[string]kafka.Config{
		"Enabled is not set":               {TLS: kafka.TLS{CAFile: "ca.pem"}},
		"both CAFile and CAPEM":            {TLS: kafka.TLS{Enabled: true, CAFile: "a", CAPEM: "b"}},
		"CertFile and KeyFile belong":      {TLS: kafka.TLS{Enabled: true, CertFile: "a"}},
		"CertPEM and KeyPEM belong":        {TLS: kafka.TLS{Enabled: true, KeyPEM: "a"}},
		"both CertFile and CertPEM":        {TLS: kafka.TLS{Enabled: true, CertFile: "a", KeyFile: "b", CertPEM: "c", KeyPEM: "d"}},
		"AcceptAnyCertificate ignores":     {TLS: kafka.TLS{Enabled: true, CAFile: "a", DangerouslyAcceptAnyCertificate: true}},
		"but no Mechanism":                 {SASL: kafka.SASL{User: "a"}},
		`"SCRAM" is not known; choose one`: {SASL: kafka.SASL{Mechanism: "SCRAM"}},
		"User is empty":                    {SASL: kafka.SASL{Mechanism: kafka.ScramSHA256, Password: "p"}},
		"one of Password and PasswordFile": {SASL: kafka.SASL{Mechanism: kafka.ScramSHA512, User: "a", Password: "p", PasswordFile: "f"}},
		"both Credentials and User":        {SASL: kafka.SASL{Mechanism: kafka.ScramSHA512, User: "a", Credentials: noCredentials}},
		"no token; or choose OAUTHBEARER":  {SASL: kafka.SASL{Mechanism: kafka.ScramSHA512, User: "a", Password: "p", Token: noToken}},
		"takes a token, no user":           {TLS: on, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, User: "a", Token: noToken}},
		"one of Token and TokenFile":       {TLS: on, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer}},
		"PLAIN sends the secret itself":    {SASL: kafka.SASL{Mechanism: kafka.Plain, User: "a", Password: "p"}},
		"OAUTHBEARER sends the secret":     {SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, Token: noToken}},
	} {
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, which does not say %q", c, err, says)
		}
	}
	for name, c := range map[string]kafka.Config{
		"scram in clear":       {SASL: kafka.SASL{Mechanism: kafka.ScramSHA256, User: "a", Password: "p"}},
		"plain over TLS":       {TLS: on, SASL: kafka.SASL{Mechanism: kafka.Plain, User: "a", PasswordFile: "f"}},
		"plain, asked for":     {SASL: kafka.SASL{Mechanism: kafka.Plain, User: "a", Password: "p", DangerouslyUnencrypted: true}},
		"credentials function": {SASL: kafka.SASL{Mechanism: kafka.ScramSHA256, Credentials: noCredentials}},
		"token file":           {TLS: on, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, TokenFile: "f"}},
	} {
		if err := c.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A secret that cannot be had ends the attempt at once and names the setting.
func TestCredentialsThatCannotBeHad(t *testing.T) {
	s := newSecured(t, nil)
	sealed := func(context.Context) (string, kafka.Secret, error) { return "", "", errors.New("vault is sealed") }
	for says, sasl := range map[string]kafka.SASL{
		"SASL.PasswordFile: open":           {Mechanism: kafka.ScramSHA256, User: "admin", PasswordFile: t.TempDir() + "/none"},
		"SASL.Credentials: vault is sealed": {Mechanism: kafka.ScramSHA256, Credentials: sealed},
		"SASL.Credentials: it gave no user": {Mechanism: kafka.ScramSHA256, Credentials: noCredentials},
	} {
		c := s.config()
		c.SASL = sasl
		s.refused(t, c, says)
	}
}

// A broker that takes bearer tokens, up to its verdict about one.
func TestBearerTokenRefused(t *testing.T) {
	s := newSecured(t, nil)
	s.cluster.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		return r.ResponseKind(), nil, true
	})
	var seen []byte
	s.cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		s.cluster.KeepControl()
		seen = r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.SASLAuthBytes = []byte(`{"status":"invalid_token","scope":"kafka"}`)
		return answer, nil, true
	})
	for says, token := range map[string]func(context.Context) (kafka.Token, error){
		"did not take the token: invalid_token, it wants the scope kafka": bearer,
		"SASL.Token: it gave an empty token":                              noToken,
		"it gave a token that expired at 2020-01-01T00:00:00Z":            expiredToken,
	} {
		c := s.config()
		c.SASL = kafka.SASL{Mechanism: kafka.OAuthBearer, Token: token}
		s.refused(t, c, says, "as OAUTHBEARER over TLS")
	}
	if want := "n,,\x01auth=Bearer token\x01logicalCluster=one\x01\x01"; string(seen) != want {
		t.Errorf("the broker was told %q, want %q", seen, want)
	}
}

func bearer(context.Context) (kafka.Token, error) {
	return kafka.Token{Value: "token", Expiry: time.Now().Add(time.Minute), Extensions: map[string]string{"logicalCluster": "one"}}, nil
}

func expiredToken(context.Context) (kafka.Token, error) {
	return kafka.Token{Value: "stale", Expiry: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}, nil
}
