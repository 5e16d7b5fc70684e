package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/reload"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// filterFlags say what of the converted submissions is published.
type filterFlags struct {
	Filters         string `env:"TMSERVER_FILTERS" placeholder:"DIR" help:"Folder of filters. Its ingest.js (or ingest.ts, ingest.json) decides which records are published, dropped or quarantined."`
	FiltersOptional bool   `env:"TMSERVER_FILTERS_OPTIONAL" help:"Publish everything when the ingest filter disappears. Default: the one of before stays in use, and after a restart raw logs wait."`
}

// ingestNames are the file names of the ingest filter. The first one that is in the
// folder decides what is published.
var ingestNames = []string{"ingest.js", "ingest.ts", "ingest.json"}

// filterFolder is the operator's folder of filters. A nil one has none.
type filterFolder struct {
	dir      string
	folder   *reload.Folder[*script.FilterScript]
	optional bool
	data     *layout.Data // knows whether there was an ingest filter; nil: nothing does
	noted    atomic.Bool  // it knows
}

// openFilters loads the folder's filters; nil if no folder is named. ping.histogram uses
// the definitions.
func (f *filterFlags) openFilters(ctx context.Context, log *slog.Logger, definitions script.Definitions) (*filterFolder, error) {
	if f.Filters == "" {
		return nil, nil
	}

	// A call that takes too long is ended: a raw log waits for its filter.
	limits := script.IngestLimits()
	limits.Definitions = definitions
	limits.Stuck = func(err error) {
		log.Error("a filter cannot be interrupted; its raw log waits for it", "err", err)
	}

	folder, err := reload.Open(ctx, f.Filters, reload.Options[*script.FilterScript]{
		Wants: isFilter,
		Keep:  func(name string) bool { return !f.FiltersOptional && slices.Contains(ingestNames, name) },
		Log:   log,
		Compile: func(ctx context.Context, path string, text []byte) (*script.FilterScript, []string, error) {
			if filepath.Ext(path) == ".json" {
				filter, err := compileDocument(path, text)
				return filter, nil, err
			}
			return compileScript(ctx, path, text, limits, log)
		},
	})
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("--filters: %w", err))
	}
	return &filterFolder{dir: filepath.Clean(f.Filters), folder: folder, optional: f.FiltersOptional}, nil
}

// compileDocument returns the filter that a JSON document describes.
func compileDocument(path string, text []byte) (*script.FilterScript, error) {
	selection, err := schema.ParseFilter(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return script.NewDocumentFilter(selection), nil
}

// compileScript returns the filter that a script is, and the files that it imports.
func compileScript(ctx context.Context, path string, text []byte, limits script.Limits, log *slog.Logger) (*script.FilterScript, []string, error) {
	compiled, err := script.Compile(path, string(text))
	if err != nil {
		return nil, nil, err
	}

	// What a filter prints is for its author, not for the operator.
	console := func(level, text string) {
		log.Debug("console", "script", path, "level", level, "text", text)
	}

	filter, err := script.NewFilterScript(ctx, compiled, limits, console)
	return filter, compiled.Imports, err
}

// isFilter reports whether a file in the folder is a filter by its name. What filters
// import begins with "_" or lies in a folder of its own.
func isFilter(name string) bool {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	return slices.Contains([]string{".js", ".ts", ".json"}, ext) && !strings.HasPrefix(name, "_") &&
		!strings.HasSuffix(base, ".test") && !strings.HasSuffix(base, ".d")
}

// run loads filters again when they change, until ctx ends.
func (f *filterFolder) run(ctx context.Context) {
	if f != nil {
		f.folder.Run(ctx)
	}
}

// IngestFilter implements worker.Filters. An error carries an exit code and the
// script's stack.
func (f *filterFolder) IngestFilter() (decide.DeciderSource, error) {
	if f == nil {
		return nil, nil
	}

	if version, ok := f.ingestVersion(); ok {
		// A version that loads stays in use when a later one does not.
		if version.Loaded.IsZero() {
			return nil, filterError(version.Err)
		}
		return deciderSource{version.Value}, f.noteFilter()
	}
	return nil, f.requireFilter()
}

// ingestVersion returns the ingest filter of the first name that is in the folder, else
// of the first that was and stays in use.
func (f *filterFolder) ingestVersion() (version reload.Version[*script.FilterScript], ok bool) {
	var missing *reload.Version[*script.FilterScript]
	for _, name := range ingestNames {
		version, ok := f.folder.Get(name)
		if !ok {
			continue
		}
		if !errors.Is(version.Err, reload.ErrMissing) {
			return version, true
		}
		if missing == nil {
			missing = &version
		}
	}

	if missing == nil {
		return version, false
	}
	return *missing, true
}

// noteFilter notes durably that records are published by an ingest filter.
func (f *filterFolder) noteFilter() error {
	if f.data == nil || f.noted.Load() {
		return nil
	}
	_, err := f.data.Root().Stat(layout.IngestFilterFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = f.data.Root().WriteFile(layout.IngestFilterFile, nil, 0o644)
	}
	f.noted.Store(err == nil)
	return err
}

// requireFilter returns an error if there was an ingest filter before.
func (f *filterFolder) requireFilter() error {
	if f.data == nil || f.optional {
		return nil
	}
	_, err := f.data.Root().Stat(layout.IngestFilterFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = cli.Fail(cli.ExitScript, fmt.Errorf("%s: the ingest filter, by which this data folder published before, is missing", f.dir))
	return cli.WithHint(err, "bring it back, or publish everything with --filters-optional")
}

// reload reads the folder now.
func (f *filterFolder) reload() {
	if f != nil {
		f.folder.Reload()
	}
}

// filterError is the error of a command whose filter does not load.
func filterError(err error) error {
	out := &cli.Error{Err: err, Code: cli.ExitScript}

	// The place is in the message, the JavaScript stack below it.
	if e, ok := errors.AsType[*script.Error](err); ok {
		out.Detail = e.Detail()
	}
	return out
}

// deciderSource is a filter of a script, or of a JSON document, as decide.DeciderSource.
type deciderSource struct{ filter *script.FilterScript }

// NewDecider implements decide.DeciderSource.
func (s deciderSource) NewDecider(ctx context.Context) decide.Decider {
	return decider{s.filter.NewIngestFilter(ctx)}
}

// decider is a script.IngestFilter as decide.Decider. Package decide has its own words
// for decisions, so that conversion needs no JavaScript.
type decider struct{ *script.IngestFilter }

// Decide implements decide.Decider.
func (d decider) Decide(partition schema.Dims, id, json []byte) (decide.Decision, error) {
	// A conversion treats a slow filter otherwise than one that throws.
	decision, err := d.IngestFilter.Decide(partition, id, json)
	if errors.Is(err, script.ErrTimeout) {
		err = fmt.Errorf("%w: %w", decide.ErrFilterLimit, err)
	}
	if err != nil {
		return decide.Decision{}, err
	}
	return decide.Decision{Action: actionOf(decision.Action), Reason: decision.Reason}, nil
}

// actionOf returns the action of a script in the word of package decide.
func actionOf(a script.Action) decide.Action {
	switch a {
	case script.Drop:
		return decide.Drop
	case script.Quarantine:
		return decide.Quarantine
	}
	return decide.Keep
}

// filtersStatus is what /status answers about the folder.
type filtersStatus struct {
	Error string         `json:"error,omitempty"` // why the folder cannot be read
	Files []filterStatus `json:"files"`
}

// filterStatus is what /status answers about a filter.
type filterStatus struct {
	Name   string    `json:"name"`
	Loaded time.Time `json:"loaded,omitzero"` // when the version in use was loaded
	Error  string    `json:"error,omitempty"` // why the file as it is now is not in use
	Failed time.Time `json:"failed,omitzero"` // when loading it failed
}

// status returns the state of the folder's filters. It does not contain the folder's
// path, because /status is public.
func (f *filterFolder) status() *filtersStatus {
	if f == nil {
		return nil
	}

	withoutPath := strings.NewReplacer(f.dir+"/", "", f.dir, "folder")
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return withoutPath.Replace(err.Error())
	}

	s := &filtersStatus{Error: text(f.folder.Err()), Files: []filterStatus{}}
	for _, version := range f.folder.All() {
		s.Files = append(s.Files, filterStatus{
			Name:   version.Name,
			Loaded: version.Loaded.UTC(),
			Error:  text(version.Err),
			Failed: version.Failed.UTC(),
		})
	}
	return s
}
