package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
)

// functionsOf parses the Go files of a package, without tests, and returns its functions
// and methods.
func functionsOf(t *testing.T, dir string) (functions []*ast.FuncDecl) {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}

	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}

		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				functions = append(functions, function)
			}
		}
	}

	return functions
}

// receiver returns the name of a method's type, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	expr := f.Recv.List[0].Type
	if star, ok := expr.(*ast.StarExpr); ok {
		expr = star.X
	}
	name, _ := expr.(*ast.Ident)
	if name == nil {
		return ""
	}
	return name.Name
}

// buildFunctions returns the build functions of serve by their names.
func buildFunctions(t *testing.T) map[string]*ast.FuncDecl {
	builds := map[string]*ast.FuncDecl{}
	for _, f := range functionsOf(t, ".") {
		if receiver(f) == "serving" && strings.HasPrefix(f.Name.Name, "build") && f.Name.Name != "build" {
			builds[f.Name.Name] = f
		}
	}

	return builds
}

// rowsOfServeParts returns the names of the functions in serveParts.
func rowsOfServeParts(t *testing.T) (rows []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "serve_parts.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}

	table := file.Scope.Lookup("serveParts").Decl.(*ast.ValueSpec)
	ast.Inspect(table.Values[0], func(n ast.Node) bool {
		if selector, ok := n.(*ast.SelectorExpr); ok && strings.HasPrefix(selector.Sel.Name, "build") {
			rows = append(rows, selector.Sel.Name)
		}
		return true
	})
	return rows
}

// TestServeParts fails for a build function that serve forgets.
func TestServeParts(t *testing.T) {
	rows := rowsOfServeParts(t)
	if len(rows) != len(serveParts) {
		t.Fatalf("%d rows of %d were found", len(rows), len(serveParts))
	}
	for name := range buildFunctions(t) {
		if !slices.Contains(rows, name) {
			t.Errorf("%s is not in serveParts", name)
		}
	}
}

// TestEverySourceIsWired fails for a type of package intake with a Run method that no
// part of serve makes, and for a flag of a source that is not documented.
func TestEverySourceIsWired(t *testing.T) {
	made := map[string]bool{}
	for _, build := range buildFunctions(t) {
		ast.Inspect(build, func(n ast.Node) bool {
			if selector, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := selector.X.(*ast.Ident); ok && x.Name == "intake" {
					made[selector.Sel.Name] = true
				}
			}
			return true
		})
	}

	sources := 0
	for _, f := range functionsOf(t, "../../ingest/intake") {
		if f.Name.Name != "Run" || f.Recv == nil {
			continue
		}
		sources++
		if !made["New"+receiver(f)] {
			t.Errorf("no part of serve makes an intake.%s", receiver(f))
		}
	}

	if sources < 2 {
		t.Errorf("%d sources were found", sources)
	}

	document, err := os.ReadFile("../../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	for field := range reflect.TypeFor[sourceFlags]().Fields() {
		variable := strings.TrimPrefix(field.Tag.Get("env"), "TMSERVER_")
		flag := "--" + strings.ToLower(strings.ReplaceAll(variable, "_", "-"))
		if !strings.Contains(string(document), "`"+flag) && !strings.Contains(string(document), flag+" ") {
			t.Errorf("%s is not in docs/operating.md", flag)
		}
	}
}

// TestPartsStopInReverse starts, stops and closes parts, some of which have nothing to do.
func TestPartsStopInReverse(t *testing.T) {
	var got []string
	note := func(text string) func() error {
		return func() error {
			got = append(got, text)
			return errors.New(text)
		}
	}
	named := func(name string) func(*serving, context.Context) (part, error) {
		return func(*serving, context.Context) (part, error) {
			return part{
				start: func() { note("start " + name)() },
				stop:  note("stop " + name),
				close: note("close " + name),
			}, nil
		}
	}
	idle := func(*serving, context.Context) (part, error) { return part{}, nil }
	failing := func(*serving, context.Context) (part, error) { return part{}, fs.ErrInvalid }

	s := &serving{}
	for _, build := range []func(*serving, context.Context) (part, error){named("1"), idle, named("2")} {
		if err := s.build(t.Context(), build); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.build(t.Context(), failing); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a part that fails: %v", err)
	}

	s.start()
	stopped := s.stop()
	closed := s.close()
	want := []string{"start 1", "start 2", "stop 2", "stop 1", "close 2", "close 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if stopped.Error() != "stop 2\nstop 1" || closed.Error() != "close 2\nclose 1" {
		t.Errorf("errors %q and %q", stopped, closed)
	}
}

// TestFailedStartConvertsNothing starts a server whose admin address is in use: raw logs stay.
func TestFailedStartConvertsNothing(t *testing.T) {
	dir := rawLogs(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	inUse := listener.Addr().String()
	_, stderr, code := tmserver(t, "", "serve", "--data-dir", dir, "--offline", "--listen", "127.0.0.1:0", "--admin-listen", inUse)
	if code != cli.ExitFailed || !strings.Contains(stderr, inUse) {
		t.Errorf("exit %d\n%s", code, stderr)
	}

	left, err := os.ReadDir(filepath.Join(dir, layout.RawDir))
	if err != nil || len(left) != killLogs {
		t.Errorf("left in raw/: %v, %v", left, err)
	}
}
