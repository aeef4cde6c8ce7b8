package kafka_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/kafka"
)

func TestParseURL(t *testing.T) {
	for text, want := range map[string]kafka.Config{
		"kafka://a:9092,[::1]:9093/": {Brokers: []string{"a:9092", "[::1]:9093"}},
		"kafka+ssl://a:1?ca=/etc/ca.pem&cert=c&key=k&server-name=n&prefix=stage.&client-id=me": {
			Brokers: []string{"a:1"}, Prefix: "stage.", ClientID: "me",
			TLS: kafka.TLS{Enabled: true, CAFile: "/etc/ca.pem", CertFile: "c", KeyFile: "k", ServerName: "n"},
		},
		"kafka+sasl_ssl://al%40ice:p%3A%2F@a:1": {
			Brokers: []string{"a:1"}, TLS: kafka.TLS{Enabled: true}, SASL: kafka.SASL{Mechanism: kafka.ScramSHA512, User: "al@ice", Password: "p:/"},
		},
		"kafka+sasl://alice@a:1?mechanism=SCRAM-SHA-256&password-file=f": {
			Brokers: []string{"a:1"}, SASL: kafka.SASL{Mechanism: kafka.ScramSHA256, User: "alice", PasswordFile: "f"},
		},
		"kafka+sasl_ssl://a:1?mechanism=OAUTHBEARER&token-file=f": {
			Brokers: []string{"a:1"}, TLS: kafka.TLS{Enabled: true}, SASL: kafka.SASL{Mechanism: kafka.OAuthBearer, TokenFile: "f"},
		},
	} {
		if got, err := kafka.ParseURL(text); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %#v, %v\nwant %#v", text, got, err, want)
		}
	}
}

func TestParseURLRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"a:9092":                                "begins with kafka://",
		"http://a:9092":                         `scheme "http"`,
		"kafka://":                              "no host",
		"kafka+sasl://alice:%hush@a:1":          "percent-encoded",
		"kafka+sasl_ssl://alice:hush@a:1?cat=1": `"cat" is not known`,
		"kafka+ssl://a:1?ca=1&ca=2":             `"ca" is given twice`,
		"kafka+ssl://a:1?ca=%zz":                "percent-encoded",
	} {
		if _, err := kafka.ParseURL(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v; want it to say %q, and no secret", text, err, says)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("kafka+sasl_ssl://alice:hush@a:1,b:2?mechanism=PLAIN&ca=x")
	f.Add("kafka://@,?&")
	f.Fuzz(func(t *testing.T, text string) {
		if c, err := kafka.ParseURL(text); err == nil && (len(c.Brokers) == 0 || strings.Contains(c.Brokers[0], "@")) {
			t.Errorf("%q became %+v", text, c)
		}
	})
}

func ExampleParseURL() {
	c, err := kafka.ParseURL("kafka+sasl_ssl://bank:hush@kafka-1:9093,kafka-2:9093?ca=ca.pem")
	fmt.Println(c.Brokers, c.SASL.User, c.SASL.Password, c.TLS.CAFile, err)
	// Output: [kafka-1:9093 kafka-2:9093] bank (secret) ca.pem <nil>
}
