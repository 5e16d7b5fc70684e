package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/revisions"
)

// callFlags say what a call of a script's function may take, and where
// ping.histogram finds definitions. tmrun sends no requests to a revision server
// unless the flag names one.
type callFlags struct {
	CallTimeout    time.Duration `name:"call-timeout" default:"30s" zero:"no limit" help:"What one call of a script's function may take; 0 is no limit."`
	RevisionCache  string        `name:"revision-cache" predictor:"folder" env:"TMSERVER_REVISION_CACHE" placeholder:"DIR" help:"Histogram definitions for ping.histogram (default: histogram_cache in the data folder)."`
	RevisionServer string        `name:"revision-server" placeholder:"URL" help:"Mercurial server with the definitions that are not cached (default: none)."`
}

// cacheFolder returns the folder of cached definitions, or "".
func (f *callFlags) cacheFolder(dataDir string) string {
	if f.RevisionCache != "" || dataDir == "" {
		return f.RevisionCache
	}

	// A data folder has one if its server converted pings.
	dir := filepath.Join(dataDir, layout.RevisionCacheDir)
	if fi, err := os.Stat(dir); err != nil || !fi.IsDir() {
		return ""
	}
	return dir
}

// openDefinitions returns the definitions, nil without any. The caller
// closes them.
func (f *callFlags) openDefinitions(dataDir string) (*revisions.Cache, error) {
	// Without a server the cache answers from its folder only.
	o := revisions.DefaultOptions()
	o.Dir = f.cacheFolder(dataDir)
	o.Server = f.RevisionServer
	o.Offline = f.RevisionServer == ""
	if o.Dir == "" && o.Offline {
		return nil, nil
	}

	// Its errors are those of its options: a folder or an address.
	c, err := revisions.NewCache(o)
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, err)
	}
	return c, nil
}

// args returns the flags for a task's process, which has no data folder.
func (f *callFlags) args(dataDir string) []string {
	// The folder is resolved here, where the data folder is known.
	args := []string{"--call-timeout", f.CallTimeout.String()}
	if dir := f.cacheFolder(dataDir); dir != "" {
		args = append(args, "--revision-cache", dir)
	}
	if f.RevisionServer != "" {
		args = append(args, "--revision-server", f.RevisionServer)
	}
	return args
}

// taskFlags are common to map, reduce and the children of --isolate.
type taskFlags struct {
	Script     string   `arg:"" predictor:"script" help:"The job: a path, or the name of a shipped script."`
	MaxErrors  failures `name:"max-errors" default:"0" placeholder:"N" help:"Records and keys that may fail without stopping the task; -1 is any number."`
	callFlags  `embed:""`
	Results    string `name:"results" hidden:"" help:"File with the rows of the jobs that the script imports."`
	TaskMemory size   `name:"task-memory" default:"0" placeholder:"SIZE" help:"Memory that this process may use; 0 is no limit."`
}

// begin limits the process and loads the script into s. dataDir may be "".
func (f *taskFlags) begin(s *session, dataDir string) error {
	s.engine.MaxErrors = int64(f.MaxErrors)

	// The kernel's limit ends the process, so the garbage collector aims below it,
	// and sorted runs spill long before.
	if f.TaskMemory > 0 {
		debug.SetMemoryLimit(int64(f.TaskMemory) * 3 / 4)
		if err := limitMemory(uint64(f.TaskMemory)); err != nil {
			return fmt.Errorf("limit memory: %w", err)
		}
		s.engine.Memory = int64(f.TaskMemory) / 8
	}

	if err := s.loadScript(f.Script); err != nil {
		return err
	}
	if err := s.readResults(f.Results); err != nil {
		return err
	}
	s.exitWhenStuck("", func() {})
	return s.allowCalls(&f.callFlags, dataDir)
}

// workers is a flag value: how many at a time. 0 is what an absent flag leaves.
type workers int

// Decode implements kong.MapperValue: it sees numbers that begin with a hyphen.
func (w *workers) Decode(ctx *kong.DecodeContext) error {
	text := ctx.Scan.Pop().String()
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return fmt.Errorf("%q: want a number greater than zero (without the flag: all processors)", text)
	}

	*w = workers(n)
	return nil
}

// or returns w, or n if the flag was absent.
func (w workers) or(n int) int {
	if w > 0 {
		return int(w)
	}
	return n
}

// failures is a flag value: how many calls may fail; -1 is any number.
type failures int64

// Decode implements kong.MapperValue: it sees numbers that begin with a hyphen.
func (f *failures) Decode(ctx *kong.DecodeContext) error {
	text := ctx.Scan.Pop().String()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < -1 {
		return fmt.Errorf("%q: want a number, or -1 for any number", text)
	}
	*f = failures(n)
	return nil
}

// size is a flag value in bytes: 64MiB, 1GB, 512K or plain bytes.
type size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *size) UnmarshalText(text []byte) error {
	// Parts the text into digits and a unit, whose letter says how far to shift.
	trimmed := strings.TrimSpace(string(text))
	digits := strings.TrimRight(trimmed, "KMGTiBkb")
	unit := strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(trimmed[len(digits):], "B"), "i"))

	shift, ok := map[string]uint{"": 0, "K": 10, "M": 20, "G": 30, "T": 40}[unit]
	n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	bytes := n * float64(uint64(1)<<shift)
	if err != nil || !ok || !(bytes >= 0 && bytes < math.MaxInt64) { // NaN is neither
		return fmt.Errorf("size %q: want a number with KiB, MiB or GiB", trimmed)
	}
	*s = size(bytes)
	return nil
}

// percent is a flag value: 1% or 1 is a hundredth.
type percent float64

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *percent) UnmarshalText(text []byte) error {
	n, err := strconv.ParseFloat(strings.TrimSuffix(string(text), "%"), 64)
	if err != nil || !(n > 0 && n <= 100) { // NaN is neither
		return fmt.Errorf("share %q: want a percentage above 0 and up to 100", text)
	}
	*p = percent(n)
	return nil
}

// shareFlags say which records are mapped.
type shareFlags struct {
	Sample        percent      `default:"100" placeholder:"PCT" help:"Map only this share of the records, such as 1%: always the same ones, chosen by document ID."`
	SampleClients wholePercent `name:"sample-clients" default:"100" placeholder:"PCT" help:"Map only the records of this share of the clients, such as 1%: always the same clients, chosen by the CRC-32 of the client ID."`
}

// share returns what the flags say.
func (f *shareFlags) share() engine.Share {
	return engine.Share{Records: float64(f.Sample) / 100, Clients: int(f.SampleClients)}
}

// args returns the flags for a task elsewhere.
func (f *shareFlags) args() []string {
	return []string{"--sample", strconv.FormatFloat(float64(f.Sample), 'g', -1, 64), "--sample-clients", strconv.Itoa(int(f.SampleClients))}
}

// wholePercent is a flag value: clients are in one of a hundred samples.
type wholePercent int

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *wholePercent) UnmarshalText(text []byte) error {
	n, err := strconv.Atoi(strings.TrimSuffix(string(text), "%"))
	if err != nil || n < 1 || n > 100 {
		return fmt.Errorf("share of clients %q: want a whole percentage from 1%% to 100%%", text)
	}
	*p = wholePercent(n)
	return nil
}
