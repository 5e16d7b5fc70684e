package jobs

import (
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// Bounds of a request. What crosses HTTP is bounded there, too.
const (
	maxFiles     = 200
	maxFileBytes = 8 << 20
)

// shippedName is the name of a shipped filter.
var shippedName = regexp.MustCompile(`^[a-z0-9_]+$`)

// formats are the formats of a result, with the ending of its file.
var formats = map[string]string{"jsonl": ".jsonl", "tsv": ".tsv", "csv": ".csv", "parquet": ".parquet"}

// validate checks what tmrun would not, and sets defaults. Errors wrap ErrRequest.
func validate(request *api.Request) error {
	if request.Format == "" {
		request.Format = "jsonl"
	}
	if formats[request.Format] == "" {
		return requestError("format %q: want one of %s", request.Format, strings.Join(slices.Sorted(maps.Keys(formats)), ", "))
	}

	if request.Dedup != "" && request.Dedup != "latest" {
		return requestError("dedup %q: want latest, or nothing", request.Dedup)
	}

	// Paths lead into the run's folder only.
	if len(request.Files) > maxFiles {
		return requestError("%d files: want at most %d", len(request.Files), maxFiles)
	}

	for name, text := range request.Files {
		if !filepath.IsLocal(name) || path.Clean(name) != name || strings.Contains(name, `\`) {
			return requestError("file %q: want a path that leads out of no folder", name)
		}
		if len(text) > maxFileBytes {
			return requestError("file %q: longer than %d bytes", name, maxFileBytes)
		}
	}

	// A script of the folder is named; any other comes with the request.
	if _, ok := request.Files[request.Main]; request.Script == "" && !ok {
		return requestError("main %q is none of the files", request.Main)
	}

	// The filter is a file of the request, or the name of one that tmrun ships.
	_, isFile := request.Files[request.Filter]
	if request.Filter != "" && !isFile && !shippedName.MatchString(request.Filter) {
		return requestError("filter %q: want one of the files, or the name of a shipped filter", request.Filter)
	}
	if request.Filter != "" && len(request.FilterDocument) > 0 {
		return requestError("filter and filter_document: want one of them")
	}
	return nil
}

// Folders and files of a run, in its folder.
const (
	filesDir    = "files"  // what came with the request
	resultsDir  = "result" // a file for each table
	logFile     = "log"    // what tmrun and the script printed
	filterFile  = "filter.json"
	profileFile = "profile.pb.gz" // of pprof
)

// runDir returns the folder of a run, below the manager's.
func runDir(id string) string { return runsDir + "/" + id }

// writeFiles makes the folder of a run, with what came with the request.
func (m *Manager) writeFiles(id string, request api.Request) error {
	dir := runDir(id) + "/" + filesDir
	err := errors.Join(m.root.MkdirAll(dir, 0o700), m.root.MkdirAll(runDir(id)+"/"+resultsDir, 0o700),
		m.root.WriteFile(runDir(id)+"/"+logFile, nil, 0o600))

	for name, text := range request.Files {
		err = errors.Join(err, m.root.MkdirAll(dir+"/"+path.Dir(name), 0o700), m.root.WriteFile(dir+"/"+name, []byte(text), 0o600))
	}

	if len(request.FilterDocument) > 0 {
		err = errors.Join(err, m.root.WriteFile(runDir(id)+"/"+filterFile, request.FilterDocument, 0o600))
	}

	return err
}

// arguments returns the command line of tmrun for a run whose script at path has those
// exports.
func (m *Manager) arguments(run *api.Run, path string, exports api.Exports) []string {
	request := run.Request
	dir := filepath.Join(m.o.Dir, runDir(run.ID))
	args := []string{"run", "--supervised", "--isolate",
		"--data-dir=" + m.o.DataDir,
		"--timeout=" + m.o.Time.String(),
		"--task-memory=" + strconv.FormatInt(m.o.TaskBytes, 10),
		"--max-output=" + strconv.FormatInt(m.o.OutputBytes, 10),
		"--format=" + request.Format,
	}

	// Several tables go into a folder, anything else into a file.
	output := filepath.Join(dir, resultsDir) + "/"
	if len(exports.Tables) < 2 || request.Table != "" {
		output += "result" + formats[request.Format]
	}
	args = append(args, "--output="+output)

	// The filter: a file that came with the request, a shipped one, or a document.
	filter := request.Filter
	if _, err := os.Stat(filepath.Join(dir, filesDir, filter)); filter != "" && err == nil {
		filter = filepath.Join(dir, filesDir, filter)
	}
	if len(request.FilterDocument) > 0 {
		filter = filepath.Join(dir, filterFile)
	}

	// An empty value means tmrun's default, so its flag is left out.
	for flag, value := range map[string]string{
		"--input-filter": filter, "--sample": request.Sample, "--sample-clients": request.SampleClients,
		"--table": request.Table, "--dedup": request.Dedup,
	} {
		if value != "" {
			args = append(args, flag+"="+value)
		}
	}

	for _, where := range request.Where {
		args = append(args, "--where="+where)
	}
	if request.Profile {
		args = append(args, "--no-cache", "--profile="+filepath.Join(dir, profileFile))
	}
	if request.MaxErrors != 0 {
		args = append(args, "--max-errors="+strconv.FormatInt(request.MaxErrors, 10))
	}

	return append(args, "--", path)
}
