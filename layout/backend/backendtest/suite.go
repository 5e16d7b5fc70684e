package backendtest

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/backend"
)

// Suite is what every Backend must do, whatever holds its files. open returns a new
// Backend that holds just these files, by name; names have "/" and folders are made as
// needed.
func Suite(t *testing.T, open func(t *testing.T, files map[string][]byte) backend.Backend) {
	big := make([]byte, 3_000_001)
	rand.NewChaCha8([32]byte{1}).Read(big)
	files := map[string][]byte{
		"big":                        big,
		"empty":                      {},
		"published/a/b/1.zst":        []byte("one"),
		"published/a/b/2.zst":        []byte("two, longer"),
		"published/a/c_d/3.v2.log":   []byte("three"),
		"published/a b+c%20é/4.zst":  []byte("odd characters"),
		"published/a.b/5.zst":        []byte("sorts between a and a/b by bytes"),
		"published-2/not below.text": []byte("a longer name"),
	}

	t.Run("List", func(t *testing.T) { testList(t, open(t, files)) })
	t.Run("Open", func(t *testing.T) { testOpen(t, open(t, files)) })
	t.Run("ReadAt", func(t *testing.T) { testReadAt(t, open(t, files), big) })
	t.Run("Ahead", func(t *testing.T) { testAhead(t, open(t, files), big) })
	t.Run("Many", func(t *testing.T) { testMany(t, open) })
}

// testList lists folders: files with their sizes, folders, sorted by name.
func testList(t *testing.T, b backend.Backend) {
	folder := func(name string) backend.Entry { return backend.Entry{Name: name, Dir: true} }
	file := func(name string, size int64) backend.Entry {
		return backend.Entry{Name: name, Regular: true, Size: size}
	}

	for dir, want := range map[string][]backend.Entry{
		".":               {file("big", 3_000_001), file("empty", 0), folder("published"), folder("published-2")},
		"published":       {folder("a"), folder("a b+c%20é"), folder("a.b")},
		"published/a":     {folder("b"), folder("c_d")},
		"published/a/b":   {file("1.zst", 3), file("2.zst", 11)},
		"nothing":         nil,
		"published/a/b/x": nil,
	} {
		got, err := b.List(t.Context(), dir)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("List(%q) = %v, %v, want %v", dir, got, err, want)
		}
	}
}

// testOpen opens what is there and what is not.
func testOpen(t *testing.T, b backend.Backend) {
	for name, want := range map[string]string{"published/a/b/2.zst": "two, longer", "published/a b+c%20é/4.zst": "odd characters", "empty": ""} {
		file, err := b.Open(name)
		if err != nil {
			t.Errorf("Open(%q): %v", name, err)
			continue
		}

		text, err := io.ReadAll(io.NewSectionReader(file, 0, file.Size()))
		if err != nil || string(text) != want || file.Size() != int64(len(want)) {
			t.Errorf("%s holds %q, %d bytes, %v, want %q", name, text, file.Size(), err, want)
		}
		if err := file.Close(); err != nil {
			t.Errorf("close %s: %v", name, err)
		}
	}

	for _, name := range []string{"nothing", "published/a/b/3.zst", "big/x"} {
		file, err := b.Open(name)
		if !errors.Is(err, fs.ErrNotExist) && !isNotFolder(err) {
			t.Errorf("Open(%q): %v, %v, want fs.ErrNotExist", name, file, err)
		}
	}
}

// isNotFolder reports whether an error says that a name goes through a file. An object
// store does not know folders.
func isNotFolder(err error) bool {
	var pathError *fs.PathError
	return errors.As(err, &pathError)
}

// testReadAt reads pieces in any order.
func testReadAt(t *testing.T, b backend.Backend, want []byte) {
	file, err := b.Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	rng := rand.New(rand.NewPCG(1, 1))
	for range 40 {
		at := rng.IntN(len(want))
		piece := make([]byte, 1+rng.IntN(100_000))
		n, err := file.ReadAt(piece, int64(at))

		// At the end of the file a piece is short.
		whole := min(len(piece), len(want)-at)
		if n != whole || !bytes.Equal(piece[:n], want[at:at+n]) || (err == nil) != (whole == len(piece)) && err != io.EOF {
			t.Fatalf("%d bytes at %d: got %d, %v", len(piece), at, n, err)
		}
	}

	if n, err := file.ReadAt(make([]byte, 1), int64(len(want))); n != 0 || err != io.EOF {
		t.Errorf("behind the end: %d, %v, want io.EOF", n, err)
	}
}

// testAhead reads in order what was announced, and elsewhere meanwhile.
func testAhead(t *testing.T, b backend.Backend, want []byte) {
	file, err := b.Open("big")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()

	file.Ahead(1000, int64(len(want)))
	for at := 1000; at < len(want); {
		piece := make([]byte, min(300_000, len(want)-at))
		if n, err := file.ReadAt(piece, int64(at)); n != len(piece) || err != nil && err != io.EOF || !bytes.Equal(piece, want[at:at+n]) {
			t.Fatalf("%d bytes at %d: got %d, %v", len(piece), at, n, err)
		}
		at += len(piece)

		if n, err := file.ReadAt(piece[:7], 5); n != 7 || err != nil || !bytes.Equal(piece[:7], want[5:12]) {
			t.Fatalf("elsewhere: got %d, %v", n, err)
		}
	}
}

// testMany lists more names than one answer of an object store holds.
func testMany(t *testing.T, open func(t *testing.T, files map[string][]byte) backend.Backend) {
	if testing.Short() {
		t.Skip("makes a thousand files")
	}
	files := map[string][]byte{}
	for i := range 1100 {
		files["d/"+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676))] = []byte("x")
	}

	got, err := open(t, files).List(t.Context(), "d")
	if err != nil || len(got) != len(files) {
		t.Errorf("%d of %d files are listed, %v", len(got), len(files), err)
	}
	if !slices.IsSortedFunc(got, func(a, b backend.Entry) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) }) {
		t.Error("the list is not sorted by name")
	}
}
