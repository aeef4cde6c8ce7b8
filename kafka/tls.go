package kafka

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"
)

// TLS says how connections are encrypted, and which certificates both sides show. The zero value is no encryption. Setting any field but
// Enabled is a mistake unless Enabled is set, and [Config.Validate] says so.
type TLS struct {
	// Enabled encrypts every connection with TLS 1.2 or newer, the newest both sides know.
	Enabled bool

	// CAFile and CAPEM are the certificates of the authorities that may have signed the brokers' certificates, PEM; at most one of the two.
	// Neither means the system's own authorities.
	CAFile string
	CAPEM  string

	// CertFile and KeyFile, or CertPEM and KeyPEM, are the certificate this side shows and its private key, PEM, for brokers that ask for
	// one (mTLS). The certificate comes first, then those between it and the authority.
	CertFile, KeyFile string
	CertPEM           string
	KeyPEM            Secret

	// ServerName is the name the brokers' certificates must be for. Empty means the host of the address that is dialled, which is right
	// unless something in between forwards connections.
	ServerName string

	// DangerouslyAcceptAnyCertificate turns the check of the brokers' certificates off, so that anybody on the way can read and change
	// everything. For looking at a broken setup, never for production.
	DangerouslyAcceptAnyCertificate bool
}

// minTLS is the oldest version accepted; 1.0 and 1.1 are withdrawn (RFC 8996).
const minTLS = tls.VersionTLS12

func (t *TLS) faults() (faults []error) {
	fault := func(wrong bool, text string) {
		if wrong {
			faults = append(faults, errors.New("kafka: TLS: "+text))
		}
	}
	rest := *t
	rest.Enabled = false
	fault(!t.Enabled && rest != TLS{}, "settings are given, but Enabled is not set; set it, or connections are in clear")
	fault(t.CAFile != "" && t.CAPEM != "", "both CAFile and CAPEM; give one")
	fault((t.CertFile == "") != (t.KeyFile == ""), "CertFile and KeyFile belong together; give both or none")
	fault((t.CertPEM == "") != (t.KeyPEM == ""), "CertPEM and KeyPEM belong together; give both or none")
	fault(t.CertFile != "" && t.CertPEM != "", "both CertFile and CertPEM; give one")
	fault(t.DangerouslyAcceptAnyCertificate && (t.CAFile != "" || t.CAPEM != ""), "DangerouslyAcceptAnyCertificate ignores the CA; leave out one of both")
	return faults
}

// load reads what the settings name and gives the configuration for one connection. It runs before every connection, so that files
// that were replaced are found.
func (t *TLS) load(now time.Time) (*tls.Config, error) {
	c := &tls.Config{MinVersion: minTLS, ServerName: t.ServerName, InsecureSkipVerify: t.DangerouslyAcceptAnyCertificate} //nolint:gosec // asked for by name
	if authorities, from, err := pemOf(t.CAPEM, t.CAFile, "CA"); err != nil {
		return nil, err
	} else if authorities != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(authorities) {
			return nil, fmt.Errorf("TLS.%s has no certificate in PEM form", from)
		}
	}
	certificate, from, err := pemOf(t.CertPEM, t.CertFile, "Cert")
	if err != nil || certificate == nil {
		return c, err
	}
	key, keyFrom, err := pemOf(string(t.KeyPEM), t.KeyFile, "Key")
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return nil, fmt.Errorf("TLS.%s and TLS.%s are no pair: %w", from, keyFrom, err)
	}
	if pair.Leaf != nil && now.After(pair.Leaf.NotAfter) {
		return nil, fmt.Errorf("the client certificate of TLS.%s (%s) expired at %v; put a new one in its place", from, pair.Leaf.Subject,
			pair.Leaf.NotAfter.UTC().Format(time.RFC3339))
	}
	// Shown whatever authorities the broker names: else a wrong one is passed over in silence and the broker says that there was none.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
	return c, nil
}

// pemOf gives the text, or the content of the file, or nil when neither is set; and the name of the setting it is from.
func pemOf(text, file, setting string) (content []byte, from string, err error) {
	switch {
	case text != "":
		return []byte(text), setting + "PEM", nil
	case file == "":
		return nil, "", nil
	}
	content, err = os.ReadFile(file)
	if err != nil {
		return nil, "", fmt.Errorf("TLS.%sFile: %w", setting, err)
	}
	return content, setting + "File " + file, nil
}

// principal is the name a broker gives the client certificate by default, empty without one that can be read.
func (t *TLS) principal() string {
	certificate, _, err := pemOf(t.CertPEM, t.CertFile, "Cert")
	if err != nil || certificate == nil {
		return ""
	}
	key, _, err := pemOf(string(t.KeyPEM), t.KeyFile, "Key")
	if err != nil {
		return ""
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil || pair.Leaf == nil {
		return ""
	}
	return pair.Leaf.Subject.String()
}

// shows tells whether there is a certificate to show.
func (t *TLS) shows() bool { return t.CertFile != "" || t.CertPEM != "" }
