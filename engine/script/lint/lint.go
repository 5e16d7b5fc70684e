package lint

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"slices"

	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/script/bundle"
	"github.com/aitgithub/telemetry-server/engine/script/declare"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Finding is what Check has found at a place of a script.
type Finding struct {
	Err    *script.Error // its Phase is "error" or "warning" if the script compiles and loads
	Severe bool          // the script cannot run, or will fail where it is called
	check  string        // the name of the check; "" for a script that does not compile or load
}

const (
	dimensionsCheck = "dimensions"
	shapeCheck      = "shape"
	resultsCheck    = "results"
)

// Unchecked reports whether the script could not be checked without the results of the jobs
// that it imports: CheckScript says more when they are there.
func (f Finding) Unchecked() bool { return f.check == resultsCheck }

// StopsRun reports whether a run must not begin: the script does not load, or it
// would give a wrong answer instead of an error. Other severe findings may lie in
// code that no record reaches.
func (f Finding) StopsRun() bool {
	return f.Severe && (f.check == "" || f.check == dimensionsCheck || f.check == shapeCheck)
}

// Check finds what is wrong with a script or filter as far as that can be seen
// before it runs: syntax, a top level that throws, a missing map, dimensions that
// are no list of them, and what the checks find. Findings are in the order of the
// source. A name that ends in .json is that of a JSON filter. An error is one of
// the checker, not of the script. Names of histograms are compared with histograms; nil:
// they are not.
func Check(ctx context.Context, name, text string, limits script.Limits, histograms Histograms) ([]Finding, error) {
	if filepath.Ext(name) == ".json" {
		if _, err := schema.ParseFilter([]byte(text)); err != nil {
			return severe(&script.Error{File: name, Phase: "error", Message: err.Error(), Cause: err})
		}
		return nil, nil
	}

	// What does not compile or load has one finding.
	compiled, err := script.Compile(name, text)
	if err != nil {
		return severe(err)
	}

	return CheckScript(ctx, compiled, limits, histograms)
}

// CheckScript is Check for a script that is compiled.
func CheckScript(ctx context.Context, checked *script.Script, limits script.Limits, histograms Histograms) ([]Finding, error) {
	// Without the results of other jobs, the top level may fail where it reads them.
	if len(checked.Jobs) > 0 && !checked.HasResults() {
		if _, err := checked.WithEmptyResults().Exports(ctx, limits); err != nil {
			return unchecked(err)
		}
		checked = checked.WithEmptyResults()
	}

	exports, err := checked.Exports(ctx, limits)
	if err != nil {
		return severe(err)
	}

	// A script is a filter or a job; what it exports says which.
	switch {
	case exports.Has(declare.Filter) && len(checked.Jobs) > 0:
		return severe(&script.Error{File: checked.Name, Phase: "error", Message: "a filter cannot import the result of a job, " + checked.Jobs[0].Name})
	case exports.Has(declare.Filter):
		if _, err := script.NewFilterScript(ctx, checked, limits, nil); err != nil {
			return severe(err)
		}
	case !exports.Has(declare.Job):
		return severe(checked.NoMap(exports.Names))
	}

	// The checks walk the script's own statements.
	program, places, err := bundle.Parse(checked.Name, checked.Sources[checked.Name])
	if err != nil {
		return nil, err
	}

	walker := newChecker(checked, program, places, exports)
	walker.histograms = histograms
	for _, statement := range program.Body {
		walker.top(statement)
	}

	walker.unexported(program, exports.Function)
	for _, warning := range checked.Warnings {
		walker.findings = append(walker.findings, Finding{Err: warning, check: "bundler"})
	}

	slices.SortStableFunc(walker.findings, func(a, b Finding) int {
		return cmp.Or(a.Err.Line-b.Err.Line, a.Err.Column-b.Err.Column)
	})

	return walker.findings, nil
}

// unchecked makes a finding of an error that may be there only because other jobs have not
// run; other errors stay errors.
func unchecked(err error) ([]Finding, error) {
	failed, ok := errors.AsType[*script.Error](err)
	if !ok {
		return nil, err
	}
	warning := *failed
	warning.Phase = "warning"
	warning.Message += ": without the results of the jobs that it imports, the rest of the script cannot be checked"
	return []Finding{{Err: &warning, check: resultsCheck}}, nil
}

// severe makes a finding of an *script.Error; other errors stay errors.
func severe(err error) ([]Finding, error) {
	if e, ok := errors.AsType[*script.Error](err); ok {
		return []Finding{{Err: e, Severe: true}}, nil
	}
	return nil, err
}
