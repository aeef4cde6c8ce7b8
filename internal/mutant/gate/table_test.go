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

// A build takes no defect unless it is told two tags, and then one: this is what keeps them out of programs.
func TestTagsChooseOneDefect(t *testing.T) {
	files := func(tags ...string) string {
		here := build.Default
		here.BuildTags = tags
		found, err := here.ImportDir("..", 0)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(found.GoFiles, " ")
	}
	if got := files(); got != "mutant.go none.go" {
		t.Errorf("a build without tags takes %s", got)
	}
	for _, d := range defects {
		if got, want := files("mutant", "mutant_"+d.name), "mutant.go planted_"+d.name+".go"; got != want {
			t.Errorf("a build with %s takes %s, want %s", d.name, got, want)
		}
		source, err := os.ReadFile(filepath.Join("..", "planted_"+d.name+".go"))
		if err != nil || !strings.Contains(string(source), `const planted = "`+d.name+`"`) {
			t.Errorf("%s: %v; its file plants something else", d.name, err)
		}
	}
}

// Every defect that is declared is in the table, once, with tests that exist.
func TestTableIsComplete(t *testing.T) {
	var declared, listed []string
	for _, value := range constants(t, filepath.Join("..", "mutant.go")) {
		declared = append(declared, value)
	}
	for _, d := range defects {
		listed = append(listed, d.name)
		if !exists(t, filepath.Join("..", "..", "..", d.in), d.test) {
			t.Errorf("%s: there is no %s in %s", d.name, d.test, d.in)
		}
	}
	slices.Sort(declared)
	slices.Sort(listed)
	if !slices.Equal(declared, listed) {
		t.Errorf("declared are %v\nlisted are %v", declared, listed)
	}
}

// The root package has its constants twice: off, and as package mutant has them.
func TestRootHasTheSameConstantsInBothBuilds(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	off, on := constants(t, filepath.Join(root, "planted.go")), constants(t, filepath.Join(root, "planted_mutant.go"))
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

// constants gives those that a file declares, with their values; of a comparison, what is compared with.
func constants(t *testing.T, path string) map[string]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, is := n.(*ast.ValueSpec)
		if !is {
			return true
		}
		switch value := spec.Values[0].(type) {
		case *ast.BinaryExpr:
			text, err := strconv.Unquote(value.Y.(*ast.BasicLit).Value)
			if err != nil {
				t.Error(err)
			}
			found[spec.Names[0].Name] = text
		case *ast.SelectorExpr:
			found[spec.Names[0].Name] = value.X.(*ast.Ident).Name + "." + value.Sel.Name
		case *ast.Ident:
			found[spec.Names[0].Name] = value.Name
		}
		return true
	})
	if len(found) == 0 {
		t.Fatalf("%s declares no constants", path)
	}
	return found
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
