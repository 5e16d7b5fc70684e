package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/alecthomas/kong"
)

// version is the command that prints what --version prints.
type version struct{}

func (version) Help() string { return `EXIT STATUS: 0 done.` }

func (version) Run(kctx *kong.Context, st *State) error {
	_, err := fmt.Fprintln(st.Stdout, kctx.Model.Name, LongVersion())
	return err
}

// Version returns the module version or revision that the program was built from.
func Version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}

	// A build in the repository knows its revision, one by "go install" its version.
	if commit := setting(info, "vcs.revision"); commit != "" {
		return commit[:min(12, len(commit))]
	}
	if version := info.Main.Version; version != "" {
		return version
	}
	return "(devel)"
}

// LongVersion returns one line for people: the version, the whole commit with its time
// and whether files were changed since, Go's version and the platform.
func LongVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}

	commit := "unknown"
	if revision := setting(info, "vcs.revision"); revision != "" {
		commit = revision + " of " + setting(info, "vcs.time")
		if setting(info, "vcs.modified") == "true" {
			commit += ", with changes"
		}
	}
	return fmt.Sprintf("%s (commit %s; %s %s/%s)", info.Main.Version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// setting returns a value that the build recorded; "" if it recorded none.
func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}
