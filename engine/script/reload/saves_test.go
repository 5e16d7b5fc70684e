package reload

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// steps is what somebody does in a folder, one system call after the other.
type steps struct {
	t     *testing.T
	dir   string
	pause time.Duration // between two calls
	files map[string]*os.File
}

func (s *steps) path(name string) string { return filepath.Join(s.dir, name) }

func (s *steps) do(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Error(err)
	}
	time.Sleep(s.pause)
}

func (s *steps) open(name string, flags int) {
	f, err := os.OpenFile(s.path(name), flags, 0o644)
	if s.files == nil {
		s.files = map[string]*os.File{}
	}
	s.files[name] = f
	s.do(err)
}

func (s *steps) write(name, text string) {
	_, err := io.WriteString(s.files[name], text)
	s.do(err)
}

func (s *steps) close(name string) { s.do(s.files[name].Close()) }

// pieces writes the new text in three writes; each prefix of it would compile.
func (s *steps) pieces(name string, flags int) {
	s.open(name, flags)
	for _, text := range []string{"new", " text", " here"} {
		s.write(name, text)
	}
	s.do(s.files[name].Sync())
	s.close(name)
}

func (s *steps) rename(from, to string) { s.do(os.Rename(s.path(from), s.path(to))) }
func (s *steps) remove(name string)     { s.do(os.Remove(s.path(name))) }
func (s *steps) mkdir(name string)      { s.do(os.Mkdir(s.path(name), 0o755)) }
func (s *steps) link(to, name string)   { s.do(os.Symlink(to, s.path(name))) }

const create = os.O_WRONLY | os.O_CREATE | os.O_EXCL

// saves are how programs replace a.txt.
var saves = []struct {
	name string
	do   func(*steps)
}{
	{"in place, as nano and VS Code", func(s *steps) {
		s.pieces("a.txt", os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	}},
	{"vim: renamed to a backup, written anew", func(s *steps) {
		s.open(".a.txt.swp", create)
		s.open("4913", create) // may files be made here?
		s.close("4913")
		s.remove("4913")
		s.rename("a.txt", "a.txt~")
		s.pieces("a.txt", create)
		s.do(os.Chmod(s.path("a.txt"), 0o600))
		s.remove("a.txt~")
		s.close(".a.txt.swp")
		s.remove(".a.txt.swp")
	}},
	{"vim: backup copied, written in place", func(s *steps) {
		s.open("a.txt~", create)
		s.write("a.txt~", "old")
		s.close("a.txt~")
		s.pieces("a.txt", os.O_WRONLY|os.O_TRUNC)
		s.remove("a.txt~")
	}},
	{"emacs: lock link, autosave, backup renamed", func(s *steps) {
		s.link("me@host.1234:1", ".#a.txt") // which leads nowhere
		s.pieces("#a.txt#", create)
		s.rename("a.txt", "a.txt~")
		s.pieces("a.txt", create)
		s.remove("#a.txt#")
		s.remove(".#a.txt")
	}},
	{"sed -i, rsync, install: temporary file renamed", func(s *steps) {
		s.pieces("sedAbCdEf", create)
		s.rename("sedAbCdEf", "a.txt")
	}},
	{"JetBrains: two renames", func(s *steps) {
		s.pieces("a.txt___jb_tmp___", create)
		s.rename("a.txt", "a.txt___jb_old___")
		s.rename("a.txt___jb_tmp___", "a.txt")
		s.remove("a.txt___jb_old___")
	}},
	{"removed, then copied", func(s *steps) {
		s.remove("a.txt")
		s.pieces("a.txt", create)
	}},
	{"the folder renamed away, another put in its place", func(s *steps) {
		s.mkdir("../next")
		s.pieces("../next/a.txt", create)
		s.rename(".", "../before")
		s.rename("../next", "../filters")
	}},
	{"the folder removed and made again", func(s *steps) {
		s.remove("a.txt")
		s.remove(".")
		time.Sleep(50 * s.pause)
		s.mkdir(".")
		time.Sleep(50 * s.pause) // a new, empty folder means nothing yet
		s.pieces("a.txt", create)
	}},
}

// TestSaves: whatever way a file is replaced, the version in use goes from the
// old one to the new one, and is never none or half of one. The pauses are
// shorter than settleTime, and no event is needed.
func TestSaves(t *testing.T) {
	for _, save := range saves {
		t.Run(save.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "filters")
			os.Mkdir(dir, 0o755)
			put(t, filepath.Join(dir, "a.txt"), "old")
			synctest.Test(t, func(t *testing.T) {
				f := openWords(t, dir)
				ctx, cancel := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				// Looked at as often as a storm of events could have it.
				wg.Go(func() { f.poll(ctx, nil, nil, func() {}) })
				wg.Go(func() {
					for ctx.Err() == nil {
						time.Sleep(7 * time.Millisecond)
						if got := value(f); got != "old" && got != "new text here" {
							t.Errorf("in use: %q", got)
							return
						}
					}
				})
				time.Sleep(time.Second) // not in step with the polls
				save.do(&steps{t: t, dir: dir, pause: 60 * time.Millisecond})
				time.Sleep(3 * pollTime)
				if got := value(f); got != "new text here" || problem(f) != "" || f.Err() != nil || len(f.All()) != 1 {
					t.Errorf("in the end %q is in use, error %q, of the folder %v, versions %v", got, problem(f), f.Err(), f.All())
				}
				cancel()
				wg.Wait()
			})
		})
	}
}

// TestSavesWatched does the same at full speed, with fsnotify's events. Nobody
// promises here that the machine takes less than settleTime between two writes.
func TestSavesWatched(t *testing.T) {
	for _, save := range saves {
		t.Run(save.name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "filters")
			os.Mkdir(dir, 0o755)
			put(t, filepath.Join(dir, "a.txt"), "old")
			f := openWords(t, dir)
			run(t, f)
			save.do(&steps{t: t, dir: dir})
			await(t, func() bool {
				got := value(f)
				if got == "" {
					t.Fatal("nothing is in use")
				}
				return got == "new text here"
			})
			// The folder that is there now is watched, not only polled.
			save := steps{t: t, dir: dir}
			save.pieces("b.txt", create)
			await(t, func() bool { v, _ := f.Get("b.txt"); return v.Value == "new text here" })
		})
	}
}
