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
	// removed. Editors remove a file for some milliseconds, on a loaded machine for
	// longer.
	goneTime = time.Second
	// pollTime is how often the folder is read without an event, and a file that
	// does not compile is compiled again.
	pollTime = 2 * time.Second
	// retryShare bounds the time spent on such files, which may run until a limit
	// stops them: one part in so many.
	retryShare = 50
)

// Options configure a Folder.
type Options[T any] struct {
	// Wants reports whether the file of that name, which is no path, counts.
	Wants func(name string) bool
	// Compile makes a version of the file at path (the folder's name and the
	// file's), which has that text, and says which other files it read. It is
	// called by Open and then by Run only. A panic counts as an error.
	Compile func(ctx context.Context, path string, text []byte) (version T, read []string, err error)
	// Keep reports whether a file of that name stays in use when it is missing: its
	// Version then says so. Nil: none does.
	Keep func(name string) bool
	// Log gets every version and every failure, from when Run runs; nil drops them.
	Log *slog.Logger
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
	log *slog.Logger // belongs to look, as files and filled do

	files  map[string]*file // by name
	wake   chan struct{}    // one token: Reload was called
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
// compile is no error; its Version has the reason.
func Open[T any](ctx context.Context, dir string, options Options[T]) (*Folder[T], error) {
	if _, err := os.ReadDir(dir); err != nil {
		return nil, err
	}

	opened := &Folder[T]{
		dir: filepath.Clean(dir), o: options, log: slog.New(slog.DiscardHandler),
		wake: make(chan struct{}, 1), files: map[string]*file{}, versions: map[string]Version[T]{},
	}

	opened.look(ctx, 0)
	return opened, ctx.Err()
}

// Get returns what is known of the file of that name; ok is false if it is not in the folder.
func (f *Folder[T]) Get(name string) (version Version[T], ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	version, ok = f.versions[name]
	return version, ok
}

// All returns what is known of every file, ordered by name.
func (f *Folder[T]) All() []Version[T] {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Version[T]
	for _, version := range f.versions {
		all = append(all, version)
	}

	slices.SortFunc(all, func(a, b Version[T]) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// Err returns why the folder cannot be read now; nil: it can.
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
		// Nothing is known about whether files are missing.
		f.filled = nil
		for _, fl := range f.files {
			fl.missing = time.Time{}
		}
		return pollTime
	}

	wait = pollTime
	there := map[string]bool{}
	now := time.Now()
	for _, name := range names {
		found := read(filepath.Join(f.dir, name))
		if found.missing() { // removed since the folder was listed, or a link that leads nowhere
			continue
		}
		there[name] = true
		fl := f.files[name]
		if fl == nil {
			fl = &file{}
			f.files[name] = fl
		}

		// A file that still changes is not compiled yet.
		fl.see(found, now)
		if !fl.due(now) {
			continue
		}
		if left := settle - now.Sub(fl.since); left > 0 {
			wait = min(wait, left)
			continue
		}
		f.compile(ctx, name, fl, found)
	}

	// An editor that saves by renaming removes the old file first.
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
		if f.o.Keep != nil && f.o.Keep(name) {
			f.keep(name, fl)
			continue
		}
		f.remove(name)
	}

	return wait
}

// see notes the file's content at a look.
func (fl *file) see(c content, now time.Time) {
	fl.missing = time.Time{}
	sum := c.sum(fl.imports)
	if sum != fl.seen || fl.since.IsZero() {
		fl.seen, fl.since = sum, now
	}
}

// due reports whether the content is to be compiled: it has changed since it was
// compiled last, or that failed and the time has come to try again.
func (fl *file) due(now time.Time) bool {
	if fl.seen != fl.tried || fl.at.IsZero() {
		return true
	}
	return !fl.again.IsZero() && !now.Before(fl.again)
}

// list returns the names that count. A folder that is empty and not the one of
// before is an error: it is about to be filled, or what was mounted there is
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

	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasPrefix(name, ".") && f.o.Wants(name) {
			names = append(names, name)
		}
	}

	// The same folder may become empty; another one that is empty is not ready yet.
	if len(names) == 0 && len(f.files) > 0 && !os.SameFile(info, f.filled) {
		return nil, errEmpty
	}

	f.filled = info
	return names, nil
}

// compile tries to make a version of the file's content.
func (f *Folder[T]) compile(ctx context.Context, name string, fl *file, found content) {
	start := time.Now()
	value, err := f.make(ctx, name, fl, found)
	if ctx.Err() != nil {
		return
	}

	fl.seen, fl.at, fl.again = fl.tried, time.Now(), time.Time{}
	if err != nil {
		// A script that fails after a long time is tried less often.
		took := fl.at.Sub(start)
		fl.again = fl.at.Add(max(pollTime/2, retryShare*took))
	}

	version, before := f.publish(name, value, err, fl.at)

	// The same failure again is not news.
	if err == nil || before == nil || before.Error() != err.Error() {
		f.report(version)
	}
}

// make compiles the file's content, and notes what was compiled and what it read.
func (f *Folder[T]) make(ctx context.Context, name string, fl *file, found content) (value T, err error) {
	// The sums of the imports have to be older than what the compiler reads, or a
	// change in between would go unnoticed. Only the compiler knows which files those
	// are: if they are others than before, it compiles again.
	for range 2 {
		fl.tried = found.sum(fl.imports)
		if found.err != nil {
			return value, found.err
		}
		var imports []string
		value, imports, err = f.call(ctx, filepath.Join(f.dir, name), found.text)
		if err != nil || slices.Equal(imports, fl.imports) {
			return value, err
		}
		fl.imports = imports
	}

	return value, nil
}

// publish makes value the version of a file, or keeps the one before with the
// reason err. It returns what is known of the file now, and the Err before.
func (f *Folder[T]) publish(name string, value T, err error, at time.Time) (version Version[T], before error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	version = f.versions[name]
	version.Name = name
	before = version.Err

	// Failed is the time of the first of several failures in a row.
	switch {
	case err == nil:
		version.Value, version.Loaded, version.Err, version.Failed = value, at, nil, time.Time{}
	case before == nil:
		version.Err, version.Failed = err, at
	default:
		version.Err = err
	}

	f.versions[name] = version
	return version, before
}

// report logs what became of a file.
func (f *Folder[T]) report(version Version[T]) {
	switch {
	case version.Err == nil:
		f.log.Info("loaded", "script", version.Name)
	case version.Loaded.IsZero():
		f.log.Error("cannot be loaded", "script", version.Name, "err", version.Err)
	default:
		f.log.Error("cannot be loaded; the version before stays in use", "script", version.Name, "loaded", version.Loaded, "err", version.Err)
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

// ErrMissing is the Err of a file that is missing and stays in use; see Options.Keep.
var ErrMissing = errors.New("the file is missing")

// keep makes the version of a missing file say so. What comes back is compiled anew.
func (f *Folder[T]) keep(name string, fl *file) {
	var none T
	fl.at = time.Time{}
	version, before := f.publish(name, none, ErrMissing, time.Now())
	if !errors.Is(before, ErrMissing) {
		f.report(version)
	}
}

// Reload makes Run read the folder now.
func (f *Folder[T]) Reload() {
	select {
	case f.wake <- struct{}{}:
	default: // it is going to
	}
}

// remove drops a file that is gone.
func (f *Folder[T]) remove(name string) {
	delete(f.files, name)
	f.mu.Lock()
	delete(f.versions, name)
	f.mu.Unlock()
	f.log.Info("removed", "script", name)
}

// setErr publishes why the folder cannot be read, and logs what is new.
func (f *Folder[T]) setErr(err error) {
	f.mu.Lock()
	before := f.err
	f.err = err
	f.mu.Unlock()

	if err != nil && (before == nil || before.Error() != err.Error()) {
		f.log.Error("folder cannot be read; what was loaded stays in use", "dir", f.dir, "err", err)
	}
}
