package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/reload"
	"github.com/aitgithub/telemetry-server/ingest/decide"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// filterFlags say what of the converted submissions is published.
type filterFlags struct {
	Filters string `env:"TMSERVER_FILTERS" placeholder:"DIR" help:"Folder of filters. Its ingest.js (or ingest.ts, ingest.json) decides which records are published, dropped or quarantined."`
}

// ingestNames are the names of the filter that decides what is published; the
// first that is there does.
var ingestNames = []string{"ingest.js", "ingest.ts", "ingest.json"}

// filterFolder is the operator's folder of filters. A nil one has none.
type filterFolder struct {
	dir    string
	folder *reload.Folder[*script.FilterScript]
}

// openFilters loads the folder's filters; nil if none is named. defs are what
// ping.histogram is bound to in them.
func (f *filterFlags) openFilters(ctx context.Context, log *slog.Logger, defs script.Definitions) (*filterFolder, error) {
	if f.Filters == "" {
		return nil, nil
	}
	limits := script.IngestLimits()
	limits.Definitions = defs
	limits.Stuck = func(err error) { log.Error("a filter cannot be interrupted; its raw log waits for it", "err", err) }
	folder, err := reload.Open(ctx, f.Filters, reload.Options[*script.FilterScript]{
		Wants: isFilter, Logger: log,
		Compile: func(ctx context.Context, path string, text []byte) (*script.FilterScript, []string, error) {
			if filepath.Ext(path) == ".json" {
				selection, err := schema.ParseFilter(text)
				if err != nil {
					return nil, nil, fmt.Errorf("%s: %w", path, err)
				}
				return script.NewDocumentFilter(selection), nil, nil
			}
			s, err := script.Compile(path, string(text))
			if err != nil {
				return nil, nil, err
			}
			console := func(level, text string) { log.Debug("console", "script", path, "level", level, "text", text) }
			filter, err := script.NewFilterScript(ctx, s, limits, console)
			return filter, s.Imports, err
		},
	})
	if err != nil {
		return nil, cli.Fail(cli.ExitUsage, fmt.Errorf("--filters: %w", err))
	}
	return &filterFolder{dir: filepath.Clean(f.Filters), folder: folder}, nil
}

// isFilter says whether a file in the folder is a filter by its name. What
// filters import begins with "_" or lies in a folder of its own.
func isFilter(name string) bool {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	return slices.Contains([]string{".js", ".ts", ".json"}, ext) && !strings.HasPrefix(name, "_") &&
		!strings.HasSuffix(base, ".test") && !strings.HasSuffix(base, ".d")
}

// run takes changes over until ctx ends.
func (f *filterFolder) run(ctx context.Context) {
	if f != nil {
		f.folder.Run(ctx)
	}
}

// IngestFilter implements worker.Filters. An error carries an exit code and the
// script's stack.
func (f *filterFolder) IngestFilter() (decide.IngestFilter, error) {
	if f == nil {
		return nil, nil
	}
	for _, name := range ingestNames {
		v, ok := f.folder.Get(name)
		if !ok {
			continue
		}
		if v.Loaded.IsZero() {
			out := &cli.Error{Err: v.Err, Code: cli.ExitScript}
			if e, ok := errors.AsType[*script.Error](v.Err); ok {
				out.Detail = e.Detail()
			}
			return nil, out
		}
		return ingestFilter{v.Value}, nil
	}
	return nil, nil
}

// ingestFilter is a filter of a script, or of a JSON document, as decide.IngestFilter.
type ingestFilter struct{ filter *script.FilterScript }

// NewDecider implements decide.IngestFilter.
func (f ingestFilter) NewDecider(ctx context.Context) decide.Decider {
	return ingestDecider{f.filter.NewIngestFilter(ctx)}
}

// ingestDecider is a script.IngestFilter as decide.Decider.
type ingestDecider struct{ *script.IngestFilter }

// actions are the decisions of a script in the words of package decide.
var actions = map[script.Action]decide.Action{
	script.Keep:       decide.Keep,
	script.Drop:       decide.Drop,
	script.Quarantine: decide.Quarantine,
}

// Decide implements decide.Decider.
func (d ingestDecider) Decide(partition schema.Dims, id, json []byte) (decide.Decision, error) {
	decision, err := d.IngestFilter.Decide(partition, id, json)
	if errors.Is(err, script.ErrTimeout) {
		err = fmt.Errorf("%w: %w", decide.ErrFilterLimit, err)
	}
	return decide.Decision{Action: actions[decision.Action], Reason: decision.Reason}, err
}

// filtersStatus is what /status answers about the folder.
type filtersStatus struct {
	Error string         `json:"error,omitempty"` // why the folder cannot be read
	Files []filterStatus `json:"files"`
}

// filterStatus is what /status answers about a filter.
type filterStatus struct {
	Name   string    `json:"name"`
	Loaded time.Time `json:"loaded,omitzero"` // since when the version in use is
	Error  string    `json:"error,omitempty"` // why the file as it is now is not in use
	Failed time.Time `json:"failed,omitzero"` // since when it has not been
}

// status says what the folder's filters are at. It does not tell where the
// folder is: everybody may ask.
func (f *filterFolder) status() *filtersStatus {
	if f == nil {
		return nil
	}
	text := func(err error) string {
		if err == nil {
			return ""
		}
		return strings.ReplaceAll(strings.ReplaceAll(err.Error(), f.dir+"/", ""), f.dir, "folder")
	}
	s := &filtersStatus{Error: text(f.folder.Err()), Files: []filterStatus{}}
	for _, v := range f.folder.All() {
		s.Files = append(s.Files, filterStatus{Name: v.Name, Loaded: v.Loaded.UTC(), Error: text(v.Err), Failed: v.Failed.UTC()})
	}
	return s
}
