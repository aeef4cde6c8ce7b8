package kafka

import (
	"errors"
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/seed-3eec0498/muster"
)

// The resources of a [Right], as kafka-acls.sh has them.
const (
	TopicResource         = "topic"
	GroupResource         = "group"
	TransactionalResource = "transactional-id"
	ClusterResource       = "cluster"
)

// Right is what a principal may do: an operation on a resource, as kafka-acls.sh names them.
type Right struct{ Operation, Resource, Name string }

// String gives "Write on topic accounts.events".
func (r Right) String() string {
	if r.Resource == ClusterResource {
		return r.Operation + " on the cluster"
	}
	return r.Operation + " on " + r.Resource + " " + r.Name
}

// On gives the rights to do several things to one resource.
func On(resource, name string, operations ...string) []Right {
	rights := make([]Right, len(operations))
	for i, operation := range operations {
		rights[i] = Right{Operation: operation, Resource: resource, Name: name}
	}
	return rights
}

// onAll gives the right to do one thing to several topics.
func onAll(topics []string, operation string) (rights []Right) {
	for _, topic := range topics {
		rights = append(rights, On(TopicResource, topic, operation)...)
	}
	return rights
}

// Map is the function of that name, with more to say of connections and rights that are refused: as whom this process came, and which of
// the rights that op needs is missing.
func (c Config) Map(op string, err error, needs ...Right) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*muster.Error](err); done {
		return err
	}
	if deniedResource(err) != "" {
		return needing(op, err, needs, c.principal(), c.brokers()[0])
	}
	if cause := connectCause(err); cause != "" && cause != CauseDial {
		op += " as " + c.identity()
	}
	return Map(op, err)
}

// identity says as whom this process connects.
func (c Config) identity() string {
	way := "without TLS"
	if c.TLS.Enabled {
		way = "over TLS"
		if name := c.TLS.principal(); name != "" {
			way += " with the certificate of " + name
		}
	}
	switch {
	case c.SASL.Mechanism == "":
		return "nobody (no SASL) " + way
	case c.SASL.User != "":
		return fmt.Sprintf("%s user %q %s", c.SASL.Mechanism, c.SASL.User, way)
	}
	return c.SASL.Mechanism + " " + way
}

// principal is the name brokers give this process by default, as far as it can be told from here.
func (c Config) principal() string {
	switch {
	case c.SASL.User != "":
		return "User:" + c.SASL.User
	case c.SASL.Mechanism != "":
		return "User:<the name in the credentials>"
	case c.TLS.Enabled && c.TLS.principal() != "":
		return "User:" + c.TLS.principal()
	}
	return "User:ANONYMOUS"
}

// needing is [Map], with the missing right named. principal and broker are for the command that grants it, empty where they are not known.
func needing(op string, err error, needs []Right, principal, broker string) error {
	resource := deniedResource(err)
	needs = slices.DeleteFunc(slices.Clone(needs), func(r Right) bool { return r.Resource != resource })
	if len(needs) == 0 {
		return Map(op, err)
	}
	missing := needs[0].String()
	for _, other := range needs[1:] {
		missing += " or " + other.String()
	}
	who := principal
	if who == "" {
		who, principal = "this service", "User:NAME"
	}
	if broker == "" {
		broker = "BROKER:9092"
	}
	where := "--" + resource + " " + needs[0].Name
	if resource == ClusterResource {
		where = "--cluster"
	}
	next := fmt.Sprintf("%s lacks %s; run kafka-acls.sh --bootstrap-server %s --add --allow-principal %q --operation %s %s",
		who, missing, broker, principal, needs[0].Operation, where)
	return &mapped{refusal: &muster.Error{Code: muster.PermissionDenied, Message: fmt.Sprintf("%s: %v; %s", op, err, next)}, cause: err}
}

// deniedResource tells on which kind of resource a right is missing; empty when the error is another one.
func deniedResource(err error) string {
	switch {
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return TopicResource
	case errors.Is(err, kerr.GroupAuthorizationFailed):
		return GroupResource
	case errors.Is(err, kerr.TransactionalIDAuthorizationFailed):
		return TransactionalResource
	case errors.Is(err, kerr.ClusterAuthorizationFailed):
		return ClusterResource
	}
	return ""
}
