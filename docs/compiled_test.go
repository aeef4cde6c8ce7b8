package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var (
	goBlock  = regexp.MustCompile("(?s)```go\n(.*?)```")
	remark   = regexp.MustCompile(`\s+// .*$`)
	blank    = regexp.MustCompile(`\s+`)
	snippets = map[string]int{"projections.md": 5, "sql-read-models.md": 1, "effects.md": 2, "queries.md": 2} // how many blocks the pages have
)

// statements gives the lines of a text that say something, without remarks.
func statements(text string) (lines []string) {
	for line := range strings.Lines(text) {
		if line = blank.ReplaceAllString(strings.TrimSpace(remark.ReplaceAllString(strings.TrimRight(line, "\n"), "")), " "); line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

// Each Go block of these pages stands in snippets_test.go, under the name of its page, line for line, so that it compiles. What it stands on may come in
// between: names, and a use of what is only shown.
func TestSnippetsCompile(t *testing.T) {
	source, err := os.ReadFile("snippets_test.go")
	if err != nil {
		t.Fatal(err)
	}
	compiled := map[string][]string{} // by page: all that stands under its name
	for part := range strings.SplitSeq(string(source), "\n// ") {
		page, text, _ := strings.Cut(part, "\n")
		compiled[page] = append(compiled[page], statements(text)...)
	}
	all := pages(t)
	for page, want := range snippets {
		blocks := goBlock.FindAllStringSubmatch(all[page], -1)
		if len(blocks) != want {
			t.Errorf("%s has %d Go blocks, want %d: add what is new to snippets_test.go, and count it", page, len(blocks), want)
		}
		left := compiled[page]
		for _, block := range blocks {
			for _, line := range statements(block[1]) {
				at := 0
				for at < len(left) && left[at] != line {
					at++
				}
				if at == len(left) {
					t.Fatalf("%s: %q stands in no compiled snippet behind the line before it; mend the page or snippets_test.go", page, line)
				}
				left = left[at+1:]
			}
		}
	}
}
