package service_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-3eec0498/muster/kafka"
	"github.com/seed-3eec0498/muster/service"
)

// The file of topic ids lies on a disk that anybody may write to: whatever it holds, the topics are taken, taken for recreated ones, or the error names the
// file and says what to do. What was taken once is taken again.
func FuzzTopicIDs(f *testing.F) {
	for _, text := range []string{
		"{}", "null", "", "[]", `{"accounts.events":"00000000000000000000000000000000"}`, `{"accounts.events":"01020304000000000000000000000000"}`,
		`{"accounts.events":"zz020304000000000000000000000000"}`, `{"accounts.events":"01"}`, `{"accounts.events":1}`, `{"other":null}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		dir := t.TempDir()
		file := filepath.Join(dir, "topics.json")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		groups := map[string]kafka.TopicIDs{"accounts": {"accounts.events": {1, 2, 3, 4}}}
		err := service.CheckTopicIDs(dir, groups)
		if err == nil {
			err = service.CheckTopicIDs(dir, groups)
			if err != nil {
				t.Fatalf("taken, and then: %v", err)
			}
			return
		}
		if !strings.Contains(err.Error(), file) && !strings.Contains(err.Error(), "accounts.events") {
			t.Fatalf("the error names neither file nor topic: %v", err)
		}
	})
}
