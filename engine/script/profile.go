package script

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/dop251/goja"
	"github.com/google/pprof/profile"
)

// StartProfile begins to sample what scripts do; the function it returns writes
// the profile to out, for `go tool pprof`: by line of this script and of what it
// imports. There can be one at a time in a process.
func (s *Script) StartProfile(out io.Writer) (stop func() error, err error) {
	var raw bytes.Buffer
	if err := goja.StartProfile(&raw); err != nil {
		return nil, fmt.Errorf("profile: %w", err)
	}

	return func() error {
		goja.StopProfile()
		sampled, err := profile.Parse(&raw)
		if err != nil {
			return fmt.Errorf("profile: %w", err)
		}

		// goja has the lines of the sources, but the bundle's file name.
		for _, function := range sampled.Function {
			function.Filename = s.fileOf(function.Name)
		}
		if err := sampled.Write(out); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		return nil
	}, nil
}

// MergeProfiles returns the sum of profiles that StartProfile wrote, as of the processes
// that ran one script.
func MergeProfiles(texts [][]byte) (*profile.Profile, error) {
	parts := make([]*profile.Profile, len(texts))
	for i, text := range texts {
		part, err := profile.ParseData(text)
		if err != nil {
			return nil, fmt.Errorf("merge profiles: %w", err)
		}
		parts[i] = part
	}

	merged, err := profile.Merge(parts)
	if err != nil {
		return nil, fmt.Errorf("merge profiles: %w", err)
	}
	return merged, nil
}

// fileOf returns the source file that a function of that name is in: the
// script unless only an import declares one.
func (s *Script) fileOf(function string) string {
	// goja numbers functions of the same name: f.1.
	name, _, _ := strings.Cut(function, ".")
	declares := regexp.MustCompile(`(function\s+|\b)` + regexp.QuoteMeta(name) + `\s*(=[^=]|\([^)]*\)\s*\{)`)
	if declares.MatchString(s.Sources[s.Name]) {
		return s.Name
	}

	// In a fixed order, so that two profiles of a script can be compared.
	for _, file := range slices.Sorted(maps.Keys(s.Sources)) {
		if declares.MatchString(s.Sources[file]) {
			return file
		}
	}

	return s.Name
}
