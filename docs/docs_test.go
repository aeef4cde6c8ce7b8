package docs_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are all pages of documentation, with their text.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	if err != nil || len(names) == 0 {
		t.Fatalf("pages %v, %v", names, err)
	}
	found := map[string]string{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found[name] = string(text)
	}
	return found
}

var namedTest = regexp.MustCompile("`([a-z/]+)\\.((?:Test|Fuzz|Example)[A-Z]\\w*)`")

// A page that names a test as proof names one that there is.
func TestNamedTestsExist(t *testing.T) {
	sources := map[string]string{} // of a package's tests
	named := 0
	for page, text := range pages(t) {
		for _, name := range namedTest.FindAllStringSubmatch(text, -1) {
			named++
			if _, read := sources[name[1]]; !read {
				sources[name[1]] = testsOf(t, name[1])
			}
			if !strings.Contains(sources[name[1]], "\nfunc "+name[2]+"(") {
				t.Errorf("%s names %s.%s, which does not exist", page, name[1], name[2])
			}
		}
	}
	if named < 50 {
		t.Errorf("only %d tests are named; does this test still see them?", named)
	}
}

// testsOf gives the source of all tests of a package.
func testsOf(t *testing.T, name string) string {
	t.Helper()
	dir := filepath.Join("..", name)
	if name == "muster" {
		dir = ".."
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(source)
	}
	return all.String()
}

var link = regexp.MustCompile(`\]\(([^)#\s:]+)(?:#([^)\s]+))?\)`)

// A link to a file leads somewhere.
func TestLinksLeadSomewhere(t *testing.T) {
	for page, text := range pages(t) {
		for _, to := range link.FindAllStringSubmatch(text, -1) {
			if _, err := os.Stat(to[1]); err != nil {
				t.Errorf("%s links to %s, which is not there", page, to[1])
			}
		}
	}
}
