package service_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/internal/kafkatest"
	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// rightsOfSealing are those that docs/security.md lists for a service that seals with keys in a topic and takes part in erasures, beside its others.
func rightsOfSealing(space string) []kafkatest.Grant {
	return grants(strings.ReplaceAll(`
		Read topic K.keys
		Write topic K.keys
		DescribeConfigs topic K.keys
		Create topic K.keys
		Read topic K.erasures
		Write topic K.erasures
		DescribeConfigs topic K.erasures
		Create topic K.erasures`, "K.", space+"."), "", "")
}

// keeper is a service without a group, which seals and erases as a user of its own.
type keeper struct {
	*secured
	space string
	log   *logLines
}

func (k *keeper) config() service.Config {
	c := k.as("keeper", kafka.ScramSHA256)
	c.Logger = k.log.logger()
	return c
}

// keys opens the key store; what it cannot do is the error.
func (k *keeper) keys() (*service.Keys, error) {
	ctx, cancel := contextFor(k.t)
	defer cancel()
	return service.OpenKeys(ctx, k.config(), k.space)
}

func (k *keeper) start(keys *service.Keys) *running {
	c := k.config()
	c.Privacy = &crypto.Config{Keys: keys, KMS: crypto.NewMemoryKMS(), SubjectKey: slices.Repeat([]byte{7}, 32)}
	c.Erasure = &service.ErasureConfig{KeySpace: k.space}
	return start(k.t, c)
}

// Keys in a topic and erasures with the documented rights and no more; each is taken away, and named where it is missed.
func securedPrivacy(t *testing.T, cluster *kafkatest.Secured) {
	k := &keeper{secured: newSecured(t, cluster), space: kafkatest.UniqueName(t, "people"), log: &logLines{}}
	k.Password("keeper", "keeper-secret")
	k.Allow("User:keeper", rightsOfCaller(k.group.Name(), k.calling)...)
	rights := rightsOfSealing(k.space)
	k.Allow("User:keeper", rights...)

	// At start. Create comes first, while the topics are not there.
	for _, operation := range []string{"Create", "DescribeConfigs", "Read"} {
		for _, topic := range []string{k.space + ".keys", k.space + ".erasures"} {
			right := kafkatest.Grant(operation + " topic " + topic)
			if operation == "Read" && topic == k.space+".erasures" {
				continue // the key store does not read the ledger
			}
			k.Revoke("User:keeper", right)
			keys, err := k.keys()
			if err == nil {
				keys.Close()
			}
			if says := "lacks " + operation + " on topic " + topic; muster.CodeOf(err) != muster.PermissionDenied || !strings.Contains(err.Error(), says) {
				t.Errorf("without %q: %v\ndoes not say %q", right, err, says)
			}
			k.Allow("User:keeper", right)
		}
	}

	keys, err := k.keys()
	if err != nil {
		t.Fatalf("with all rights: %v", err)
	}
	defer keys.Close()
	ledger := kafkatest.Grant("Read topic " + k.space + ".erasures")
	k.Revoke("User:keeper", ledger)
	c := k.config()
	c.Erasure = &service.ErasureConfig{KeySpace: k.space, Keys: keys, Ref: func(string) crypto.SubjectRef { return crypto.SubjectRef{1} }}
	if err := open(t, c); muster.CodeOf(err) != muster.PermissionDenied || !strings.Contains(err.Error(), "lacks Read on topic "+k.space+".erasures") {
		t.Errorf("without %q: %v", ledger, err)
	}
	k.Allow("User:keeper", ledger)

	// At work: an erasure waits for the right, and goes on when it is back.
	keeping := k.start(keys)
	for i, topic := range []string{k.space + ".keys", k.space + ".erasures"} {
		right := kafkatest.Grant("Write topic " + topic)
		k.Revoke("User:keeper", right)
		subject := string(rune('a' + i))
		says := "lacks Write on topic " + topic
		eventually(t, says, func() bool {
			_, err := keeping.Privacy().Erase(t.Context(), subject, "gdpr-17", "desk")
			return err != nil && strings.Contains(err.Error(), says) || strings.Contains(k.log.String(), says)
		})
		k.Allow("User:keeper", right)
		eventually(t, "the erasure", func() bool {
			e, err := keeping.Privacy().Erase(t.Context(), subject, "gdpr-17", "desk")
			return err == nil && e.State >= crypto.ErasurePurged
		})
	}
	if strings.Contains(k.log.String(), "-secret") {
		t.Error("the log shows a secret")
	}
}
