package reload

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// compileWords makes of a text what it says with what it imports ("import FILE"
// lines); no text and one with the word "bad" do not compile, "panic" panics.
func compileWords(_ context.Context, path string, text []byte) (string, []string, error) {
	switch {
	case len(text) == 0:
		return "", nil, errors.New("empty")
	case strings.Contains(string(text), "bad"):
		return "", nil, fmt.Errorf("%s: bad: %s", filepath.Base(path), text)
	case strings.Contains(string(text), "panic"):
		panic("oh")
	}

	words := strings.Fields(string(text))
	var imports []string
	for i, w := range words {
		if i > 0 && words[i-1] == "import" {
			imported := filepath.Join(filepath.Dir(path), w)
			b, err := os.ReadFile(imported)
			if err != nil {
				return "", nil, err
			}
			imports = append(imports, imported)
			words[i] = strings.TrimSpace(string(b))
		}
	}

	return strings.Join(words, " "), imports, nil
}

func wantsTxt(name string) bool { return strings.HasSuffix(name, ".txt") }

func openWords(t *testing.T, dir string) *Folder[string] {
	t.Helper()
	f, err := Open(t.Context(), dir, Options[string]{
		Wants: wantsTxt, Compile: compileWords,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	})

	if err != nil {
		t.Fatal(err)
	}

	return f
}

// value returns the version in use of a.txt, "" for none.
func value(f *Folder[string]) string {
	v, _ := f.Get("a.txt")
	return v.Value
}

// problem returns why a.txt is not in use.
func problem(f *Folder[string]) string {
	if v, _ := f.Get("a.txt"); v.Err != nil {
		return v.Err.Error()
	}
	return ""
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// run runs f until the test ends.
func run[T any](t *testing.T, f *Folder[T]) {
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
}

// await waits until ok, for as long as a loaded machine may need.
func await(t *testing.T, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing happened")
		}
	}
}

// polled runs test with f and a function that lets two polls pass.
func polled(t *testing.T, dir string, test func(t *testing.T, f *Folder[string], pass func())) {
	synctest.Test(t, func(t *testing.T) {
		f := openWords(t, dir)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); f.poll(ctx, nil, nil, func() {}) }()
		test(t, f, func() { time.Sleep(2*pollTime + settleTime); synctest.Wait() })
		cancel()
		<-done
	})
}

func TestBadVersionLeavesTheGoodOne(t *testing.T) {
	dir := t.TempDir()
	a := filepath.Join(dir, "a.txt")
	put(t, a, "one")
	polled(t, dir, func(t *testing.T, f *Folder[string], pass func()) {
		for i, step := range []struct{ text, value, problem string }{
			{"bad", "one", "a.txt: bad: bad"},
			{"bad too", "one", "a.txt: bad: bad too"},
			{"panic", "one", a + ": panic, a bug of the compiler: oh"},
			{"", "one", "empty"},
			{"two", "two", ""},
			{"bad", "two", "a.txt: bad: bad"},
			{"two", "two", ""}, // undone
		} {
			put(t, a, step.text)
			pass()
			if value(f) != step.value || problem(f) != step.problem {
				t.Errorf("step %d: %q in use, problem %q", i, value(f), problem(f))
			}
			if v, _ := f.Get("a.txt"); v.Err != nil && v.Failed.Before(v.Loaded) || v.Err == nil && !v.Failed.IsZero() {
				t.Errorf("step %d: loaded %v, failed %v", i, v.Loaded, v.Failed)
			}
		}
	})
}

func TestNeverGood(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.txt"), "bad")
	polled(t, dir, func(t *testing.T, f *Folder[string], pass func()) {
		v, ok := f.Get("a.txt")
		if !ok || !v.Loaded.IsZero() || v.Err == nil {
			t.Errorf("a file that never compiled: %+v, %v", v, ok)
		}
		put(t, filepath.Join(dir, "a.txt"), "good")
		pass()
		if value(f) != "good" {
			t.Errorf("corrected, but in use: %q", value(f))
		}
	})
}

func TestRemoved(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.txt"), "one")
	polled(t, dir, func(t *testing.T, f *Folder[string], pass func()) {
		time.Sleep(pollTime / 4)
		os.Remove(filepath.Join(dir, "a.txt"))
		time.Sleep(pollTime) // a quarter after the poll that missed it
		if value(f) != "one" {
			t.Errorf("gone before goneTime")
		}
		pass()
		if _, ok := f.Get("a.txt"); ok || f.Err() != nil {
			t.Errorf("removed, but still there; folder: %v", f.Err())
		}
	})
}

// TestConfigMap: Kubernetes mounts a folder of links into ..data, itself a link,
// and replaces that one.
func TestConfigMap(t *testing.T) {
	dir := t.TempDir()
	s := &steps{t: t, dir: dir}
	s.mkdir("..2026_1")
	put(t, s.path("..2026_1/a.txt"), "one")
	put(t, s.path("..2026_1/b.txt"), "b")
	s.link("..2026_1", "..data")
	s.link("..data/a.txt", "a.txt")
	s.link("..data/b.txt", "b.txt")
	polled(t, dir, func(t *testing.T, f *Folder[string], pass func()) {
		if value(f) != "one" || len(f.All()) != 2 {
			t.Errorf("before: %v", f.All())
		}
		s.mkdir("..2026_2")
		put(t, s.path("..2026_2/a.txt"), "two")
		s.link("..2026_2", "..data_tmp")
		s.rename("..data_tmp", "..data")
		s.remove("b.txt") // the links of what is gone go last
		os.RemoveAll(s.path("..2026_1"))
		pass()
		if value(f) != "two" || len(f.All()) != 1 {
			t.Errorf("after: %v", f.All())
		}
	})
}

// TestLinkedFolder changes a folder that is a link: the link leads elsewhere, for which
// there is no event; then it leads nowhere.
func TestLinkedFolder(t *testing.T) {
	base := t.TempDir()
	s := &steps{t: t, dir: base}
	for _, v := range []string{"v1", "v2"} {
		s.mkdir(v)
		put(t, s.path(v+"/a.txt"), v)
	}

	s.link("v1", "filters")
	f := openWords(t, s.path("filters"))
	run(t, f)
	s.link("v2", "filters.tmp")
	s.rename("filters.tmp", "filters")
	await(t, func() bool { return value(f) == "v2" })
	put(t, s.path("v2/a.txt"), "v3") // the new folder is watched
	await(t, func() bool { return value(f) == "v3" })
	s.rename("v2", "v4")
	await(t, func() bool { return f.Err() != nil })
	if value(f) != "v3" {
		t.Errorf("without its folder %q is in use", value(f))
	}

	s.rename("v4", "v2")
	await(t, func() bool { return f.Err() == nil })
}

// TestImports: what a file imports is watched too, wherever it lies; and what is
// missing is tried again.
func TestImports(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "lib")
	os.Mkdir(lib, 0o755)
	put(t, filepath.Join(lib, "x"), "x1")
	put(t, filepath.Join(dir, "a.txt"), "import lib/x")
	polled(t, dir, func(t *testing.T, f *Folder[string], pass func()) {
		step := func(want, wantProblem string) {
			t.Helper()
			pass()
			if value(f) != want || !strings.Contains(problem(f), wantProblem) || wantProblem == "" && problem(f) != "" {
				t.Errorf("%q in use, problem %q; want %q, %q", value(f), problem(f), want, wantProblem)
			}
		}
		step("import x1", "")
		put(t, filepath.Join(lib, "x"), "x2")
		step("import x2", "")
		os.Remove(filepath.Join(lib, "x"))
		step("import x2", "no such file")
		put(t, filepath.Join(lib, "x"), "x3")
		step("import x3", "")
		put(t, filepath.Join(dir, "a.txt"), "import lib/y")
		step("import x3", "no such file")
		put(t, filepath.Join(lib, "y"), "y1")
		step("import y1", "")
		put(t, filepath.Join(lib, "y"), "y2")
		step("import y2", "")
	})
}

// TestImportChangesDuringCompile: the compiler reads an import that changes right
// after.
func TestImportChangesDuringCompile(t *testing.T) {
	dir := t.TempDir()
	lib := filepath.Join(dir, "x")
	put(t, lib, "x1")
	put(t, filepath.Join(dir, "a.txt"), "import x")
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f, err := Open(t.Context(), dir, Options[string]{Wants: wantsTxt, Compile: func(ctx context.Context, path string, text []byte) (string, []string, error) {
			v, imports, err := compileWords(ctx, path, text)
			n++
			put(t, lib, fmt.Sprintf("x%d", min(n+1, 4)))
			return v, imports, err
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			f.look(t.Context(), settleTime)
			time.Sleep(pollTime)
		}
		if value(f) != "import x4" {
			t.Errorf("in use: %q", value(f))
		}
	})
}

func TestManyAtOnce(t *testing.T) {
	dir := t.TempDir()
	f := openWords(t, dir)
	run(t, f)
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() {
			name := filepath.Join(dir, fmt.Sprintf("%d.txt", i))
			for j := range 10 {
				put(t, name+".tmp", fmt.Sprint(j))
				if err := os.Rename(name+".tmp", name); err != nil {
					t.Error(err)
				}
			}
		})
	}

	wg.Wait()
	await(t, func() bool {
		n := 0
		for _, v := range f.All() {
			if v.Value == "9" {
				n++
			}
		}
		return n == 100
	})
}

// TestOdd: what is no file of ours, or no file at all.
func TestOdd(t *testing.T) {
	dir := t.TempDir()
	os.Mkdir(filepath.Join(dir, "folder.txt"), 0o755)
	put(t, filepath.Join(dir, ".hidden.txt"), "x")
	put(t, filepath.Join(dir, "other"), "x")
	put(t, filepath.Join(dir, "large.txt"), strings.Repeat("x", maxFileBytes+1))
	os.Symlink("nowhere", filepath.Join(dir, "dangling.txt"))
	os.Symlink("loop.txt", filepath.Join(dir, "loop.txt"))
	f := openWords(t, dir)
	var got []string
	for _, v := range f.All() {
		if v.Err == nil {
			t.Errorf("%s is no file, but was loaded", v.Name)
		}
		got = append(got, v.Name)
	}

	if want := "folder.txt large.txt loop.txt"; strings.Join(got, " ") != want {
		t.Errorf("known: %q, want %q", got, want)
	}
}

func TestOpenFails(t *testing.T) {
	o := Options[string]{Wants: wantsTxt, Compile: compileWords}
	if _, err := Open(t.Context(), filepath.Join(t.TempDir(), "none"), o); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("without the folder: %v", err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Open(ctx, t.TempDir(), o); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestSlowFailureIsRetriedSeldom: a file that takes long to fail must not take the
// machine.
func TestSlowFailureIsRetriedSeldom(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "a.txt"), "x")
	synctest.Test(t, func(t *testing.T) {
		n := 0
		f, err := Open(t.Context(), dir, Options[string]{Wants: wantsTxt, Compile: func(context.Context, string, []byte) (string, []string, error) {
			n++
			time.Sleep(time.Second)
			return "", nil, errors.New("too slow")
		}})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			f.look(t.Context(), settleTime)
			time.Sleep(pollTime)
		}
		if n < 3 || n > 5 {
			t.Errorf("tried %d times in 200 s", n)
		}
	})
}
