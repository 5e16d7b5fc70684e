package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/cache"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// openCache opens the cached map results of the data folder, and makes them if the
// folder has a state folder. It opens nothing for a tree that is not a data folder or
// that tmrun may not write: the job then runs without.
func (c *runCmd) openCache(ctx context.Context, s *session) {
	if !s.tree.IsData() {
		return
	}

	// Only a server makes a state folder; tmrun adds nothing to other folders.
	dir := filepath.Join(c.DataDir, layout.MapResultsDir)
	if _, err := os.Stat(filepath.Dir(dir)); err != nil {
		return
	}

	results, err := cache.Open(dir, int64(c.CacheSize))
	if err != nil {
		s.st.Log.Debug("open cached map results", "err", err)
		return
	}
	s.closers = append(s.closers, func() {
		// The records of a client that was forgotten meanwhile may be in them.
		if changed, err := s.tree.ForgottenChanged(context.WithoutCancel(ctx)); changed || err != nil {
			results.TakeBack()
		}
		results.Close()
	})

	s.engine.Cache = results
	s.engine.CacheKey = append(s.job.CacheKey(), c.flagsKey()...)
	if s.definitions != nil {
		s.engine.SameLookups = sameDefinitions(ctx, s.definitions)
	}
}

// flagsKey identifies the program and the flags that reach a script or decide whether a
// task succeeds. The job's own key holds the limits of its calls.
func (c *runCmd) flagsKey() []byte {
	key := fmt.Appendf(nil, "program %s\ndedup %s, max-errors %d\n", programIdentity(), c.Dedup, c.MaxErrors)
	if c.Isolate {
		key = fmt.Appendf(key, "isolate, task-memory %d, task-timeout %s\n", c.TaskMemory, c.TaskTimeout)
	}
	return key
}

// programIdentity returns what tells this tmrun from others: another one may map in
// another way, and so may another processor, which rounds numbers in its own way.
func programIdentity() string {
	identity := cli.Version() + " " + runtime.Version() + " " + runtime.GOARCH
	if builtFromCommit() {
		return identity
	}

	// Many programs have the version of one that was built from changed files.
	self, err := os.Executable()
	if err != nil {
		return identity
	}
	if fi, err := os.Stat(self); err == nil {
		identity += fmt.Sprintf(" %d %d", fi.Size(), fi.ModTime().UnixNano())
	}
	return identity
}

// builtFromCommit reports whether the program was built from a commit without changes.
func builtFromCommit() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}

	settings := map[string]string{}
	for _, s := range info.Settings {
		settings[s.Key] = s.Value
	}
	return settings["vcs.revision"] != "" && settings["vcs.modified"] == "false"
}

// sameDefinitions returns an engine.Options.SameLookups: whether definitions has the
// same texts as those that a script.Job's mappers have found.
func sameDefinitions(ctx context.Context, definitions *revisions.Cache) func(string) bool {
	var mu sync.Mutex              // protects current
	current := map[string]string{} // hexadecimal sums by URL; "" where there is none

	// Many tasks have found the same definitions: each text is read once.
	sumOf := func(url string) string {
		mu.Lock()
		defer mu.Unlock()
		if sum, known := current[url]; known {
			return sum
		}

		current[url] = ""
		ref, err := revisions.ParseURL(url)
		if err != nil {
			return ""
		}
		if sum, err := definitions.Sum(ctx, ref); err == nil {
			current[url] = hex.EncodeToString(sum[:])
		}
		return current[url]
	}

	return func(lookups string) bool {
		var found map[string]string
		if json.Unmarshal([]byte(lookups), &found) != nil {
			return false
		}

		for url, sum := range found {
			if sumOf(url) != sum {
				return false
			}
		}
		return true
	}
}
