package main

import (
	"path/filepath"

	"github.com/aitgithub/telemetry-server/engine/script"
)

// importsOf returns the absolute paths of the files that a script imports, with the jobs
// whose rows it imports, and all that these import. Shipped jobs have no files.
func importsOf(compiled *script.Script) ([]string, error) {
	var paths []string
	seen := map[string]bool{}
	add := func(path string) bool {
		added := !seen[path]
		seen[path] = true
		if added {
			paths = append(paths, path)
		}
		return added
	}

	// An imported job imports in turn, so scripts are added while the list is read.
	for waiting := []*script.Script{compiled}; len(waiting) > 0; waiting = waiting[1:] {
		for _, path := range waiting[0].Imports {
			add(path)
		}
		for _, job := range waiting[0].Jobs {
			if !filepath.IsAbs(job.Path) || !add(job.Path) {
				continue
			}

			imported, err := loadScript(job.Path)
			if err != nil {
				return nil, err
			}
			waiting = append(waiting, imported)
		}
	}
	return paths, nil
}
