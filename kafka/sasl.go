package kafka

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// The mechanisms of [SASL].
const (
	Plain       = "PLAIN"         // RFC 4616; sends the password itself, so it needs TLS
	ScramSHA256 = "SCRAM-SHA-256" // RFC 5802 and 7677
	ScramSHA512 = "SCRAM-SHA-512"
	OAuthBearer = "OAUTHBEARER" // RFC 7628; sends the token itself, so it needs TLS
)

var mechanisms = []string{Plain, ScramSHA256, ScramSHA512, OAuthBearer}

// SASL says who this process is to the brokers. The zero value says nothing. What is secret may be a value, a file or a function; files are
// read and functions called at every authentication, that is for every connection and whenever a broker asks again
// (connections.max.reauth.ms, KIP-368), so a secret that was replaced is used without a restart. They must be safe for several goroutines.
type SASL struct {
	// Mechanism is one of [Plain], [ScramSHA256], [ScramSHA512] and [OAuthBearer]. Empty means no authentication by SASL.
	Mechanism string

	// User is the name, for all mechanisms but OAUTHBEARER.
	User string

	// Password and PasswordFile: one of the two. Of a file, line ends after the password do not count.
	Password     Secret
	PasswordFile string

	// Credentials gives name and password instead of the fields above. Its context ends with the client.
	Credentials func(ctx context.Context) (user string, password Secret, err error)

	// TokenFile and Token: one of the two, for OAUTHBEARER. Token is asked at every authentication; a source that should not be, keeps
	// the token itself until shortly before its expiry.
	TokenFile string
	Token     func(ctx context.Context) (Token, error)

	// DangerouslyUnencrypted allows PLAIN and OAUTHBEARER without TLS. Who listens then has the password or the token.
	DangerouslyUnencrypted bool
}

// Token is a bearer token.
type Token struct {
	Value Secret
	// Expiry is when it ends; one that has ended is not sent. Zero means that it is not known, and left to the broker.
	Expiry time.Time
	// Extensions travel beside the token (KIP-342), such as a logical cluster's name.
	Extensions map[string]string
}

func (s *SASL) faults(encrypted bool) (faults []error) {
	fault := func(wrong bool, format string, args ...any) {
		if wrong {
			faults = append(faults, fmt.Errorf("kafka: SASL: "+format, args...))
		}
	}
	named := s.User != "" || s.Password != "" || s.PasswordFile != ""
	bearer := s.TokenFile != "" || s.Token != nil
	if s.Mechanism == "" {
		fault(named || bearer || s.Credentials != nil, "credentials are given, but no Mechanism; choose one of %s", strings.Join(mechanisms, ", "))
		return faults
	}
	if !slices.Contains(mechanisms, s.Mechanism) {
		fault(true, "Mechanism %q is not known; choose one of %s", s.Mechanism, strings.Join(mechanisms, ", "))
		return faults
	}
	if s.Mechanism == OAuthBearer {
		fault(named || s.Credentials != nil, "OAUTHBEARER takes a token, no user and password; give Token or TokenFile")
		fault((s.TokenFile == "") == (s.Token == nil), "give one of Token and TokenFile")
	} else {
		fault(bearer, "%s takes user and password, no token; or choose OAUTHBEARER", s.Mechanism)
		fault(s.Credentials != nil && named, "both Credentials and User, Password or PasswordFile; give one")
		fault(s.Credentials == nil && s.User == "", "User is empty; give the name this service has at the brokers")
		fault(s.Credentials == nil && (s.Password == "") == (s.PasswordFile == ""), "give one of Password and PasswordFile")
	}
	if s.Mechanism == Plain || s.Mechanism == OAuthBearer {
		fault(!encrypted && !s.DangerouslyUnencrypted, "%s sends the secret itself; set TLS.Enabled, or DangerouslyUnencrypted", s.Mechanism)
	}
	return faults
}

// login gives name and password for one authentication.
func (s *SASL) login(ctx context.Context) (user string, password Secret, err error) {
	if s.Credentials != nil {
		user, password, err = s.Credentials(ctx)
		if err == nil && (user == "" || password == "") {
			err = errors.New("it gave no user or no password")
		}
		if err != nil {
			return "", "", fmt.Errorf("SASL.Credentials: %w", err)
		}
		return user, password, nil
	}
	password = s.Password
	if s.PasswordFile != "" {
		password, err = secretIn(s.PasswordFile, "SASL.PasswordFile")
	}
	return s.User, password, err
}

// token gives the token for one authentication.
func (s *SASL) token(ctx context.Context, now time.Time) (Token, error) {
	if s.TokenFile != "" {
		value, err := secretIn(s.TokenFile, "SASL.TokenFile")
		return Token{Value: value}, err
	}
	t, err := s.Token(ctx)
	switch {
	case err != nil:
		return Token{}, fmt.Errorf("SASL.Token: %w", err)
	case t.Value == "":
		return Token{}, errors.New("SASL.Token: it gave an empty token")
	case !t.Expiry.IsZero() && !now.Before(t.Expiry):
		return Token{}, fmt.Errorf("SASL.Token: it gave a token that expired at %v; its source must fetch a new one", t.Expiry.UTC().Format(time.RFC3339))
	}
	return t, nil
}

func secretIn(file, setting string) (Secret, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("%s: %w", setting, err)
	}
	text := strings.TrimRight(string(content), "\r\n")
	if text == "" {
		return "", fmt.Errorf("%s %s is empty", setting, file)
	}
	return Secret(text), nil
}
