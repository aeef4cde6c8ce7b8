package kafka_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/kafka"
)

// However a configuration is printed, its secrets are not in it, and it can be seen that there are some.
func TestSecretsAreMasked(t *testing.T) {
	c := kafka.Config{
		Brokers: []string{"a:9092"},
		TLS:     kafka.TLS{Enabled: true, CertPEM: "public", KeyPEM: "hush-key"},
		SASL:    kafka.SASL{Mechanism: kafka.Plain, User: "alice", Password: "hush-password"},
	}
	token := kafka.Token{Value: "hush-token"}
	var text, structured bytes.Buffer
	slog.New(slog.NewTextHandler(&text, nil)).Info("made", "config", c, "pointer", &c, "token", token, "password", c.SASL.Password)
	slog.New(slog.NewJSONHandler(&structured, nil)).Info("made", "sasl", c.SASL, "tls", c.TLS, "password", c.SASL.Password)
	printed := map[string]string{"slog text": text.String(), "slog json": structured.String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		printed[verb] = fmt.Sprintf(verb, c) + fmt.Sprintf(verb, &c.SASL) + fmt.Sprintf(verb, token) + fmt.Sprintf(verb, c.SASL.Password)
	}
	encoded, err := json.Marshal(c.TLS)
	if err != nil {
		t.Fatal(err)
	}
	printed["json"] = string(encoded)
	for how, got := range printed {
		for _, secret := range []string{"hush", "68757368"} { // the second is hexadecimal
			if strings.Contains(got, secret) {
				t.Errorf("%s shows a secret:\n%s", how, got)
			}
		}
		if !strings.Contains(got, "(secret)") && how != "slog json" {
			t.Errorf("%s does not show that there is a secret:\n%s", how, got)
		}
	}
	if got := fmt.Sprint(kafka.Secret("")); got != "" {
		t.Errorf("no secret is printed as %q", got)
	}
}
