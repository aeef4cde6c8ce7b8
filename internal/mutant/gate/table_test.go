package main

import (
	"bytes"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A build without the tag has constants that are false: this is what keeps defects out of programs. One with it has variables, of which each has a
// name of its own.
func TestOnlyATaggedBuildHasDefects(t *testing.T) {
	files := func(tags ...string) string {
		here := build.Default
		here.BuildTags = tags
		found, err := here.ImportDir("..", 0)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(found.GoFiles, " ")
	}
	if got := files(); got != "doc.go mutant.go" {
		t.Errorf("a build without the tag takes %s", got)
	}
	if got := files("mutant"); got != "doc.go planted.go" {
		t.Errorf("a build with the tag takes %s", got)
	}
	off, on := declared(t, filepath.Join("..", "mutant.go"), token.CONST), declared(t, filepath.Join("..", "planted.go"), token.VAR)
	delete(on, "planted")
	for name, value := range off {
		if value != "false" || on[name] == "" {
			t.Errorf("%s is %s where nothing is planted, and listens to %q", name, value, on[name])
		}
	}
	if len(off) != len(on) {
		t.Errorf("%d constants, %d variables", len(off), len(on))
	}
}

// Every defect that is declared is in the table, once, with tests that exist.
func TestTableIsComplete(t *testing.T) {
	var names, listed []string
	for name, value := range declared(t, filepath.Join("..", "planted.go"), token.VAR) {
		if name != "planted" {
			names = append(names, value)
		}
	}
	for _, d := range defects {
		listed = append(listed, d.name)
		if !exists(t, filepath.Join("..", "..", "..", d.in), d.test) {
			t.Errorf("%s: there is no %s in %s", d.name, d.test, d.in)
		}
	}
	slices.Sort(names)
	slices.Sort(listed)
	if !slices.Equal(names, listed) {
		t.Errorf("declared are %v\nlisted are %v", names, listed)
	}
}

// The root package has its constants twice: off, and as package mutant has them.
func TestRootHasTheSameConstantsInBothBuilds(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	off, on := declared(t, filepath.Join(root, "planted.go"), token.CONST), declared(t, filepath.Join(root, "planted_mutant.go"), token.VAR)
	for name, value := range off {
		if value != "false" {
			t.Errorf("%s is %s where nothing is planted", name, value)
		}
		if want := "mutant." + strings.ToUpper(name[:1]) + name[1:]; on[name] != want {
			t.Errorf("%s is %q where it is planted, want %s", name, on[name], want)
		}
	}
	if len(off) != len(on) {
		t.Errorf("%d constants where nothing is planted, %d elsewhere", len(off), len(on))
	}
}

// declared gives the constants or variables of a file, with their values; of a comparison, what is compared with.
func declared(t *testing.T, path string, kind token.Token) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, d := range file.Decls {
		group, is := d.(*ast.GenDecl)
		if !is || group.Tok != kind {
			continue
		}
		for _, one := range group.Specs {
			spec := one.(*ast.ValueSpec)
			found[spec.Names[0].Name] = valueOf(t, spec.Values[0])
		}
	}
	if len(found) == 0 {
		t.Fatalf("%s declares nothing", path)
	}
	return found
}

func valueOf(t *testing.T, value ast.Expr) string {
	t.Helper()
	switch value := value.(type) {
	case *ast.BinaryExpr:
		text, err := strconv.Unquote(value.Y.(*ast.BasicLit).Value)
		if err != nil {
			t.Error(err)
		}
		return text
	case *ast.SelectorExpr:
		return value.X.(*ast.Ident).Name + "." + value.Sel.Name
	case *ast.Ident:
		return value.Name
	}
	return ""
}

func exists(t *testing.T, dir, name string) bool {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	declared := []byte("\nfunc " + name + "(t *testing.T)")
	for _, path := range paths {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(source, declared) {
			return true
		}
	}
	return false
}
