package mustertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// NoPersonalPrints fails the test for each place, in the packages that match the patterns, where something with personal data is handed to a function of
// fmt, log or log/slog, whatever the verb: protobuf and fmt print personal fields like all others. What may be printed is what crypto's Codec.Redacted
// makes of it.
//
// It knows protobuf messages with fields that are marked personal, as far as they are linked into the test program, and structs by their tags; pointers, lists,
// maps and structs of these too. A type with a method Format or LogValue of its own is trusted. What is handed over as an interface is not seen, such as a
// message in an any, nor are test files. The patterns are those of the go command, which has to be there, and are looked up from the directory of the test;
// the packages must compile.
func NoPersonalPrints(t testing.TB, patterns ...string) {
	t.Helper()
	found, err := personalPrints(t.Context(), "", patterns)
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range found {
		t.Error(place)
	}
}

// printers are the packages whose functions print what they get.
var printers = map[string]bool{"fmt": true, "log": true, "log/slog": true}

type listedPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
	DepOnly                 bool
	Error                   *struct{ Err string }
}

// personalPrints gives the places, as "file:line: function prints type".
func personalPrints(ctx context.Context, dir string, patterns []string) (found []string, err error) {
	list := exec.CommandContext(ctx, "go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Export,GoFiles,DepOnly,Error", "--"}, patterns...)...)
	var said bytes.Buffer
	list.Dir, list.Stderr = dir, &said
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w: %s", strings.Join(patterns, " "), err, bytes.TrimSpace(said.Bytes()))
	}
	exports, own := map[string]string{}, []listedPackage{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listedPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if p.Error != nil {
			return nil, fmt.Errorf("package %s: %s", p.ImportPath, p.Error.Err)
		}
		if exports[p.ImportPath] = p.Export; !p.DepOnly {
			own = append(own, p)
		}
	}
	files := token.NewFileSet()
	look := printsFinder{
		files: files, marks: newPersonalTypes(),
		from: importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }),
	}
	for i := range own {
		if err := look.search(&own[i]); err != nil {
			return nil, err
		}
	}
	return look.found, nil
}

type printsFinder struct {
	files *token.FileSet
	from  types.Importer
	marks *personalTypes
	found []string
}

func (f *printsFinder) search(p *listedPackage) error {
	parsed := make([]*ast.File, 0, len(p.GoFiles))
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(f.files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		parsed = append(parsed, file)
	}
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}}
	if _, err := (&types.Config{Importer: f.from}).Check(p.ImportPath, f.files, parsed, info); err != nil {
		return fmt.Errorf("package %s: %w", p.ImportPath, err)
	}
	for _, file := range parsed {
		ast.Inspect(file, func(n ast.Node) bool {
			if call, is := n.(*ast.CallExpr); is {
				f.check(info, call)
			}
			return true
		})
	}
	return nil
}

// check looks at the arguments of a call of a printer.
func (f *printsFinder) check(info *types.Info, call *ast.CallExpr) {
	var name *ast.Ident
	switch fn := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		name = fn
	case *ast.SelectorExpr:
		name = fn.Sel
	default:
		return
	}
	fn, is := info.Uses[name].(*types.Func)
	if !is || fn.Pkg() == nil || !printers[fn.Pkg().Path()] || strings.Contains(strings.ToLower(fn.Name()), "scan") {
		return
	}
	for _, arg := range call.Args {
		of := info.Types[arg].Type
		if of == nil || !f.marks.holds(of) {
			continue
		}
		at := f.files.Position(arg.Pos())
		f.found = append(f.found, fmt.Sprintf("%s:%d: %s.%s prints a %s, which has personal data; print what Codec.Redacted makes of it, or single fields that are not personal",
			filepath.Base(at.Filename), at.Line, fn.Pkg().Name(), fn.Name(), types.TypeString(of, (*types.Package).Name)))
	}
}
