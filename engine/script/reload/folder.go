package reload

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// settleTime is how long a file's content must have been the same before it is
	// compiled.
	settleTime = 100 * time.Millisecond
	// goneTime is how long a file must have been missing before it counts as
	// removed. Editors take a file away for some milliseconds, on a loaded machine
	// for longer.
	goneTime = time.Second
	// pollTime is how often the folder is looked through without being told, and a
	// file that does not compile is tried again.
	pollTime = 2 * time.Second
	// retryShare bounds the time spent on such files, which may loop until they are
	// stopped, to one part in so many.
	retryShare = 50
)

// Options configure a Folder.
type Options[T any] struct {
	// Wants says whether the file of that name, which is no path, counts.
	Wants func(name string) bool
	// Compile makes a version of the file at path (the folder's name and the
	// file's), which has that text, and says which other files it read. It is
	// called by Open and then by Run only. A panic counts as an error.
	Compile func(ctx context.Context, path string, text []byte) (version T, read []string, err error)
	// Logger is told about every version and every failure, from when Run runs; nil:
	// nobody is.
	Logger *slog.Logger
}

// Version is what is known of a file.
type Version[T any] struct {
	Name   string    // of the file
	Value  T         // the last good version, if Loaded is not zero
	Loaded time.Time // since when Value is used
	Err    error     // why the file as it is now is not in use; or nil
	Failed time.Time // since when there is that Err
}

// errEmpty is what a Folder's Err says while it waits to be filled.
var errEmpty = errors.New("the folder is another than before, and empty")

// Folder is a folder whose files are kept compiled. Get, All and Err are safe for
// concurrent use, beside Run too.
type Folder[T any] struct {
	dir string
	o   Options[T]
	log *slog.Logger // belongs to look, as files and filled

	files  map[string]*file // by name
	filled os.FileInfo      // the folder, as the last look saw it; nil if it did not

	mu       sync.Mutex // protects versions and err
	versions map[string]Version[T]
	err      error
}

// file is how far a look has come with a file.
type file struct {
	tried   sum       // content that was compiled last
	at      time.Time // when it was
	again   time.Time // when to try the same content again; zero: it compiled
	imports []string  // what it read

	seen    sum       // content at the last look
	since   time.Time // when that was first seen
	missing time.Time // since when there is none; zero: there is one
}

// Open reads and compiles what is in the folder, at once. A file that does not
// compile is no error; its Version tells.
func Open[T any](ctx context.Context, dir string, o Options[T]) (*Folder[T], error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}
	f := &Folder[T]{
		dir: filepath.Clean(dir), o: o, log: slog.New(slog.DiscardHandler),
		files: map[string]*file{}, versions: map[string]Version[T]{},
	}
	f.look(ctx, 0)
	return f, ctx.Err()
}

// Get returns what is known of the file of that name; ok is false if there is none.
func (f *Folder[T]) Get(name string) (v Version[T], ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	v, ok = f.versions[name]
	return v, ok
}

// All returns what is known of every file, ordered by name.
func (f *Folder[T]) All() []Version[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Version[T]
	for _, v := range f.versions {
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Version[T]) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Err says why the folder cannot be read now; nil: it can.
func (f *Folder[T]) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// look reads the folder, compiles what has been the same for settle, and returns
// when to look again.
func (f *Folder[T]) look(ctx context.Context, settle time.Duration) (wait time.Duration) {
	names, err := f.list()
	f.setErr(err)
	if err != nil {
		f.filled = nil
		for _, fl := range f.files { // whether they are missing nobody knows
			fl.missing = time.Time{}
		}
		return pollTime
	}
	wait = pollTime
	there := map[string]bool{}
	now := time.Now()
	for _, name := range names {
		c := read(filepath.Join(f.dir, name))
		if c.missing() { // removed as we came, or a link that leads nowhere
			continue
		}
		there[name] = true
		fl := f.files[name]
		if fl == nil {
			fl = &file{}
			f.files[name] = fl
		}
		fl.missing = time.Time{}
		if s := c.sum(fl.imports); s != fl.seen || fl.since.IsZero() {
			fl.seen, fl.since = s, now
		}
		if fl.seen == fl.tried && !fl.at.IsZero() && (fl.again.IsZero() || now.Before(fl.again)) {
			continue
		}
		if left := settle - now.Sub(fl.since); left > 0 {
			wait = min(wait, left)
			continue
		}
		f.compile(ctx, name, fl, c)
	}
	for name, fl := range f.files {
		if there[name] {
			continue
		}
		if fl.missing.IsZero() {
			fl.missing = now
		}
		if left := goneTime - now.Sub(fl.missing); left > 0 {
			wait = min(wait, left)
			continue
		}
		f.remove(name)
	}
	return wait
}

// list returns the names that count. A folder that is empty and not the one of
// before is an error: somebody is about to fill it, or what was mounted there is
// not any more.
func (f *Folder[T]) list() (names []string, err error) {
	info, err := os.Stat(f.dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if name := e.Name(); !strings.HasPrefix(name, ".") && f.o.Wants(name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 && len(f.files) > 0 && !os.SameFile(info, f.filled) {
		return nil, errEmpty
	}
	f.filled = info
	return names, nil
}

// compile tries to make a version of the file's content.
func (f *Folder[T]) compile(ctx context.Context, name string, fl *file, c content) {
	var value T
	err, start := c.err, time.Now()
	// The sums of what it imports have to be older than what the compiler reads,
	// or a change in between would go unnoticed. Which files those are it tells.
	for range 2 {
		fl.tried = c.sum(fl.imports)
		if c.err != nil {
			break
		}
		var imports []string
		if value, imports, err = f.call(ctx, filepath.Join(f.dir, name), c.text); err != nil || slices.Equal(imports, fl.imports) {
			break
		}
		fl.imports = imports
	}
	if ctx.Err() != nil {
		return
	}
	fl.seen, fl.at, fl.again = fl.tried, time.Now(), time.Time{}
	if err != nil {
		fl.again = fl.at.Add(max(pollTime/2, retryShare*fl.at.Sub(start)))
	}
	f.mu.Lock()
	v := f.versions[name]
	v.Name = name
	before := v.Err
	if err != nil {
		v.Err = err
		if before == nil {
			v.Failed = fl.at
		}
	} else {
		v.Value, v.Loaded, v.Err, v.Failed = value, fl.at, nil, time.Time{}
	}
	f.versions[name] = v
	f.mu.Unlock()
	if err == nil || before == nil || before.Error() != err.Error() { // else it was tried again
		f.tell(v)
	}
}

// tell logs what became of a file.
func (f *Folder[T]) tell(v Version[T]) {
	switch {
	case v.Err == nil:
		f.log.Info("loaded", "script", v.Name)
	case v.Loaded.IsZero():
		f.log.Error("cannot be loaded", "script", v.Name, "err", v.Err)
	default:
		f.log.Error("cannot be loaded; the version before stays in use", "script", v.Name, "loaded", v.Loaded, "err", v.Err)
	}
}

// call calls Compile. A bug in a compiler must not end the program.
func (f *Folder[T]) call(ctx context.Context, path string, text []byte) (value T, imports []string, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: panic, a bug of the compiler: %v", path, p)
		}
	}()
	return f.o.Compile(ctx, path, text)
}

func (f *Folder[T]) remove(name string) {
	delete(f.files, name)
	f.mu.Lock()
	delete(f.versions, name)
	f.mu.Unlock()
	f.log.Info("removed", "script", name)
}

func (f *Folder[T]) setErr(err error) {
	f.mu.Lock()
	before := f.err
	f.err = err
	f.mu.Unlock()
	if err != nil && (before == nil || before.Error() != err.Error()) {
		f.log.Error("folder cannot be read; what was loaded stays in use", "dir", f.dir, "err", err)
	}
}
