package service

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/seed-3eec0498/muster/kafka"
)

// checkTopicIDs refuses topics that were deleted and made again since this data directory was last used: whatever they held is gone, and
// an owner that goes on as if nothing had happened would answer from a history that nobody else can see. The ids are kept in the data
// directory; removing it accepts the topics as they are.
func checkTopicIDs(dir string, groups map[string]kafka.TopicIDs) error {
	file := filepath.Join(dir, "topics.json")
	known, err := readTopicIDs(file)
	if err != nil {
		return err
	}
	var faults []error
	for _, topics := range groups {
		for topic, id := range topics {
			var stored [16]byte
			if _, err := hex.Decode(stored[:], []byte(known[topic])); err != nil {
				return fmt.Errorf("%s: the id of %s is no topic id; delete the file to have the topics taken as they are", file, topic)
			}
			faults = append(faults, topics.CheckSame(topic, stored))
			known[topic] = hex.EncodeToString(id[:])
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	text, err := json.MarshalIndent(known, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
		return fmt.Errorf("keep the topic ids: %w; make DataDir writable", err)
	}
	return nil
}

func readTopicIDs(file string) (map[string]string, error) {
	known := map[string]string{}
	text, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return known, nil
	case err != nil:
		return nil, fmt.Errorf("read the topic ids: %w; make DataDir readable", err)
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w; delete it to have the topics taken as they are", file, err)
	}
	if known == nil { // the file says null
		known = map[string]string{}
	}
	for topic, id := range known {
		if _, err := hex.DecodeString(id); err != nil || len(id) != 32 {
			return nil, fmt.Errorf("%s: the id of %s is no topic id; delete the file to have the topics taken as they are", file, topic)
		}
	}
	return known, nil
}
