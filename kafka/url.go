package kafka

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// ParseURL reads a connection from one text:
//
//	kafka://host:9092,host:9092                            in clear
//	kafka+ssl://host:9093?ca=ca.pem&cert=c.pem&key=k.pem   TLS, here with a client certificate
//	kafka+sasl_ssl://user@host:9093?password-file=secret   TLS and SASL; the mechanism is SCRAM-SHA-512 unless mechanism says another
//	kafka+sasl://user@host:9092?password-file=secret       SASL without TLS
//
// Further parameters: mechanism, token-file, server-name, prefix, client-id. A password may stand behind the user, percent-encoded where it
// has characters that mean something in a URL; a file is better, because URLs are logged by many. The error joins all faults of the
// text, an unknown parameter among them, and never shows the password; whether the settings fit together is for [Config.Validate], so that what
// is missing can be set beside it.
func ParseURL(text string) (Config, error) {
	var c Config
	scheme, rest, found := strings.Cut(text, "://")
	if !found {
		return c, errors.New("kafka: a URL begins with kafka://, kafka+ssl://, kafka+sasl:// or kafka+sasl_ssl://")
	}
	sasl := scheme == "kafka+sasl" || scheme == "kafka+sasl_ssl"
	c.TLS.Enabled = scheme == "kafka+ssl" || scheme == "kafka+sasl_ssl"
	if !sasl && !c.TLS.Enabled && scheme != "kafka" {
		return c, fmt.Errorf("kafka: URL scheme %q; choose kafka, kafka+ssl, kafka+sasl or kafka+sasl_ssl", scheme)
	}
	if sasl {
		c.SASL.Mechanism = ScramSHA512
	}
	rest, query, _ := strings.Cut(rest, "?")
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		user, password, _ := strings.Cut(rest[:at], ":")
		name, userErr := url.PathUnescape(user)
		secret, passwordErr := url.PathUnescape(password)
		if userErr != nil || passwordErr != nil {
			return c, errors.New("kafka: user or password of the URL is not percent-encoded as it should be")
		}
		c.SASL.User, c.SASL.Password, rest = name, Secret(secret), rest[at+1:]
	}
	c.Brokers = slices.DeleteFunc(strings.Split(strings.TrimSuffix(rest, "/"), ","), func(b string) bool { return b == "" })
	faults := []error{c.parameters(query)}
	if len(c.Brokers) == 0 {
		faults = append(faults, errors.New("kafka: the URL has no host"))
	}
	return c, errors.Join(faults...)
}

func (c *Config) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("kafka: the parameters of the URL are not percent-encoded as they should be")
	}
	known := map[string]*string{
		"ca": &c.TLS.CAFile, "cert": &c.TLS.CertFile, "key": &c.TLS.KeyFile, "server-name": &c.TLS.ServerName,
		"mechanism": &c.SASL.Mechanism, "password-file": &c.SASL.PasswordFile, "token-file": &c.SASL.TokenFile,
		"prefix": &c.Prefix, "client-id": &c.ClientID,
	}
	var faults []error
	for name, value := range values {
		to, is := known[name]
		switch {
		case !is:
			faults = append(faults, fmt.Errorf("kafka: URL parameter %q is not known", name))
		case len(value) > 1:
			faults = append(faults, fmt.Errorf("kafka: URL parameter %q is given twice", name))
		default:
			*to = value[0]
		}
	}
	return errors.Join(faults...)
}
