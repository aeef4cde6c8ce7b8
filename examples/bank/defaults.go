package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// complete refuses what makes no sense and sets what was left out.
func (s *settings) complete(extra bool) error {
	switch {
	case extra:
		return errors.New("there is an argument too many; see -help")
	case s.role != roleStory && s.role != roleOwner && s.role != roleCaller:
		return fmt.Errorf("-role %q: choose story, owner or caller", s.role)
	case s.role == roleCaller && len(s.brokers) == 0:
		return errors.New("a caller needs a broker: set MUSTER_BROKERS to what the owner has printed")
	case s.http != "" && s.role == roleCaller:
		return errors.New("-http: the face belongs to an owner; leave out -role caller")
	case s.privacy && s.http == "":
		return errors.New("-privacy goes with -http: its keys lie in files, which one process has open, and then all senders are in that process")
	case s.privacy && len(s.brokers) > 0 && s.dataDir == "":
		return errors.New("-privacy on a Kafka that stays needs -data: what is sealed cannot be read without the keys that lie there")
	case s.http != "":
		s.role = roleOwner
	}
	if s.session == 0 {
		s.session = 6 * time.Second
		if len(s.brokers) == 0 {
			s.session = time.Second
		}
	}
	if len(s.brokers) == 0 {
		return nil
	}
	fresh := make([]byte, 3)
	rand.Read(fresh) // never fails, says its documentation
	mark := hex.EncodeToString(fresh)
	switch {
	case s.role == roleStory && s.prefix == "":
		s.prefix = "bank-" + mark + "."
	default:
		s.mark = "-" + mark
	}
	if s.prefix == "" {
		s.prefix = defaultPrefix
	}
	return nil
}

// defaultPrefix is what owner and caller agree on without a flag.
const defaultPrefix = "bank-example."
