package service

import (
	"context"
	"fmt"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kafka"
)

// Keys is a key store in a topic of the cluster, which all services with data of the same people share: they open the same key space. Give it to
// [Config.Privacy] of the services of this process; several may use it.
type Keys struct {
	*crypto.TopicKeys
	log *consumer.KeyLog
}

// OpenKeys connects to the key store of a key space, the topic <space>.keys under the prefix, and reads it whole. Of cfg the connection counts, with
// Prefix, Name, Logger and ExistingTopics: without that, topics of the key space that are missing are made, so set it once the first service has run,
// or a lost key topic is made anew, and empty. What stands in the topic is wrapped by the KMS; docs/keys.md says how to operate it.
func OpenKeys(ctx context.Context, cfg Config, space string) (*Keys, error) {
	admin, err := kafka.OpenAdmin(ctx, cfg.connection())
	if err != nil {
		return nil, err
	}
	defer admin.Close()
	if err := admin.EnsureKeys(ctx, space, !cfg.ExistingTopics); err != nil {
		return nil, err
	}
	log, err := consumer.OpenKeyLog(ctx, cfg.connection(), kafka.KeyTopic(cfg.Prefix, space))
	if err != nil {
		return nil, err
	}
	keys, err := crypto.OpenTopicKeys(ctx, log, crypto.TopicKeysConfig{Logger: cfg.logger()})
	if err != nil {
		log.Close()
		return nil, fmt.Errorf("key space %s: %w", space, err)
	}
	return &Keys{TopicKeys: keys, log: log}, nil
}

// Close ends the connection. Close the services that use the store before.
func (k *Keys) Close() {
	k.TopicKeys.Close()
	k.log.Close()
}
