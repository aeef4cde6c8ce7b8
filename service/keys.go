package service

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/seed-3eec0498/muster/consumer"
	"github.com/seed-3eec0498/muster/crypto"
	"github.com/seed-3eec0498/muster/kafka"
)

// Keys is a key store in a topic of the cluster, which all services with data of the same people share: they open the same key space. Give it to
// [Config.Privacy] of the services of this process; several may use it.
type Keys struct {
	*crypto.TopicKeys
	log  *consumer.KeyLog
	copy *KeyCopy // nil: in memory
}

// OpenKeys connects to the key store of a key space, the topic <space>.keys under the prefix, and reads it whole. Of cfg the connection counts, with
// Prefix, Name, Logger, KeyMemory with DataDir, and ExistingTopics: without that, topics of the key space that are missing are made, so set it once the first service has run,
// or a lost key topic is made anew, and empty. What stands in the topic is wrapped by the KMS; docs/keys.md says how to operate it.
func OpenKeys(ctx context.Context, cfg Config, space string) (*Keys, error) {
	if cfg.KeyMemory > 0 && cfg.DataDir == "" {
		return nil, fmt.Errorf("key space %s: KeyMemory is set, and DataDir is empty; the copy of the key topic lies there", space)
	}
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
	keys := &Keys{log: log}
	config := crypto.TopicKeysConfig{Logger: cfg.logger()}
	if cfg.KeyMemory > 0 {
		if keys.copy, err = OpenKeyCopy(ctx, filepath.Join(cfg.DataDir, "keys"), cfg.KeyMemory, cfg.logger()); err != nil {
			log.Close()
			return nil, fmt.Errorf("key space %s: %w", space, err)
		}
		config.Copy = keys.copy
	}
	if keys.TopicKeys, err = crypto.OpenTopicKeys(ctx, log, config); err != nil {
		return nil, errors.Join(fmt.Errorf("key space %s: %w", space, err), keys.shut())
	}
	return keys, nil
}

// Close ends the connection. Close the services that use the store before.
func (k *Keys) Close() {
	k.TopicKeys.Close()
	_ = k.shut() // what is left of the copy is removed by the next process
}

func (k *Keys) shut() error {
	k.log.Close()
	if k.copy == nil {
		return nil
	}
	return k.copy.Close()
}
