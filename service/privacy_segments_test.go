package service_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/internal/kafkatest"
)

// canaryPlan is in fields that nobody declared personal, beside those with the canary: what a search of files must find.
const canaryPlan = "Plan-Qz7"

// canaryBrokers gives brokers, and the directory with their files where they are Apache Kafka of this test's own. These keep all batches uncompressed,
// whatever was produced: compression would hide from a search what anybody can read.
func canaryBrokers(t *testing.T) (brokers []string, dir string) {
	t.Helper()
	if os.Getenv(kafkatest.RealVariable) != "1" {
		return anyBrokers(t), ""
	}
	dir = t.TempDir()
	return kafkatest.RealWith(t, kafkatest.Config{Dir: dir, Properties: map[string]string{"compression.type": "uncompressed"}}).Addresses(), dir
}

// searchSegments looks for the canary in every file of the brokers, aborted transactions, internal topics and what the brokers log included. The topics in
// known must show the plan that was sent beside the canary, so the search is one that finds what lies in clear.
func searchSegments(t *testing.T, dir string, known ...string) {
	t.Helper()
	shows, batches := map[string]bool{}, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		var data []byte
		if err == nil && !d.IsDir() {
			data, err = os.ReadFile(path)
		}
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) { // the broker replaces its checkpoints, and no segment that is asked for below
				return nil
			}
			return err
		}
		if bytes.Contains(data, []byte(canary)) {
			t.Errorf("%s holds personal data in clear", path)
		}
		if filepath.Ext(path) == ".log" && filepath.Base(path) != "broker.log" {
			batches += uncompressedBatches(t, path, data)
			partition := filepath.Base(filepath.Dir(path))
			if bytes.Contains(data, []byte(canaryPlan)) {
				shows[partition[:strings.LastIndexByte(partition, '-')]] = true
			}
		}
		return nil
	})
	if err != nil || batches < 10 {
		t.Errorf("%d batches in the files of the brokers, %v; does this test still see them?", batches, err)
	}
	for _, topic := range known {
		if !shows[topic] {
			t.Errorf("the files of %s do not show what is clear in its records, so they prove nothing about what is sealed", topic)
		}
	}
}

// uncompressedBatches counts the batches of a segment. One that is compressed is an error.
func uncompressedBatches(t *testing.T, path string, segment []byte) (count int) {
	t.Helper()
	const head, codec = 61, 7 // a batch of format 2: its length is at 8, behind base offset; its attributes are at 21
	for len(segment) >= head {
		size := 12 + int(binary.BigEndian.Uint32(segment[8:]))
		if size < head || size > len(segment) {
			break // the room behind the last batch of a preallocated file, or one that is being written
		}
		if attributes := binary.BigEndian.Uint16(segment[21:]); attributes&codec != 0 {
			t.Errorf("%s has a batch that is compressed, and a search of it sees nothing", path)
			return count
		}
		segment = segment[size:]
		count++
	}
	return count
}
