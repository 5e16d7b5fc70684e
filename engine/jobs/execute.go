package jobs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

const (
	// endTime is how long tmrun may take to end when it has to.
	endTime = 10 * time.Second
	// answerTime is what running the top level of a script, or its alert, may take.
	answerTime = time.Minute
	// maxLogBytes bounds the log of a run; what is printed beyond it is dropped.
	maxLogBytes = 4 << 20
)

// execute runs a run in a process of its own, and sets its last state.
// source is the path of a script of the folder, "" for one that came with the request.
func (m *Manager) execute(ctx context.Context, id, source string) {
	code, text, err := m.runProgram(ctx, id, source)
	results, resultsErr := m.results(id)
	err = errors.Join(err, resultsErr)

	// A run that was cut off has an error too, so a cancellation and an end of the server are
	// checked first.
	m.change(id, func(run *api.Run) {
		run.Code = code
		switch {
		case errors.Is(context.Cause(ctx), errCancelled):
			m.end(run, api.Cancelled, "")
		case ctx.Err() != nil:
			m.end(run, api.Interrupted, "the server ended before the run did")
		case err != nil:
			run.Code = cmp.Or(code, 1)
			m.end(run, api.Failed, err.Error())
		case code == 0 || code == rejectedCode:
			run.Results = results
			m.end(run, api.Done, text)
		default:
			m.end(run, api.Failed, text)
		}
	})
}

// rejectedCode is the exit code of a job that is done, though some input was rejected.
const rejectedCode = 3

// runProgram runs tmrun and returns its exit code and the message of its error, "" if it has
// none. err is that of starting it or of reading what it wrote.
func (m *Manager) runProgram(ctx context.Context, id, source string) (code int, text string, err error) {
	run, _, err := m.Get(id)
	if err != nil {
		return 0, "", err
	}

	// The log may be read while it grows.
	file, err := m.root.Create(runDir(id) + "/" + logFile)
	if err != nil {
		return 0, "", err
	}
	defer file.Close()
	log := &boundedLog{w: file, left: maxLogBytes}
	defer func() { m.change(id, func(run *api.Run) { run.LogBytes = log.written }) }()

	// A script of the folder runs where it lies, with what it imports there.
	path := source
	files := filepath.Join(m.o.Dir, runDir(id), filesDir)
	if path == "" {
		path = filepath.Join(files, run.Request.Main)
	}

	// What the script exports decides where its rows go. What came with a request may
	// import only what came with it.
	described, code, err := m.describe(ctx, path, log)
	if err != nil || code != 0 {
		return code, described.Error, err
	}
	if source == "" {
		for _, imported := range described.Imports {
			if !strings.HasPrefix(imported, files+"/") {
				return 0, "", fmt.Errorf("the script imports %s, which did not come with it", filepath.Base(imported))
			}
		}
	}

	// Its rule is applied to the result.
	rule, err := parseAlert(described.Alert)
	if err != nil {
		return 0, "", err
	}
	m.mu.Lock()
	m.runs[id].rule = rule
	m.mu.Unlock()
	whole := !isPart(run.Request)

	// The script's own filter is used where the request has none.
	m.change(id, func(run *api.Run) { run.From.ScriptSum = described.Sum })
	if len(run.Request.FilterDocument) == 0 && run.Request.Filter == "" && len(described.Filter) > 0 {
		run.Request.FilterDocument = described.Filter
		if err := m.root.WriteFile(runDir(id)+"/"+filterFile, described.Filter, 0o600); err != nil {
			return 0, "", err
		}
	}

	// Its events change the run while it goes on.
	code, err = m.command(ctx, filepath.Dir(path), m.arguments(&run, filepath.Base(path), described.Exports), io.Discard, log, func(event api.Event) {
		m.change(id, func(run *api.Run) {
			switch {
			case event.Input != nil:
				run.From.Input = event.Input
			case event.Progress != nil:
				run.Progress = *event.Progress
			case event.Stats != nil:
				run.Stats = event.Stats
			case event.Error != "":
				text = event.Error
			}
		})
	})

	// What its function says of the rows belongs to the run.
	if err != nil || code != 0 && code != rejectedCode || rule == nil || !rule.Function || !whole || run.Script == "" {
		return code, text, err
	}
	alertCode, alertText, err := m.callAlert(ctx, run, path, log)
	if alertCode != 0 {
		return alertCode, alertText, err
	}
	return code, text, err
}

// describe returns the exports of a script, found by a process of its own, whose stderr goes
// to log. An error of the script is in described.Error.
func (m *Manager) describe(ctx context.Context, path string, log io.Writer) (described api.Described, code int, err error) {
	code, err = m.answer(ctx, path, []string{"describe"}, log, &described)
	return described, code, err
}

// answer runs a command of tmrun for the script at path, and reads the JSON that it prints.
func (m *Manager) answer(ctx context.Context, path string, args []string, log io.Writer, value any) (code int, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()

	var out bytes.Buffer
	args = append(args, fmt.Sprintf("--task-memory=%d", m.o.TaskBytes), "--", filepath.Base(path))
	code, err = m.command(ctx, filepath.Dir(path), args, &out, log, nil)
	if unmarshalErr := json.Unmarshal(out.Bytes(), value); err == nil && unmarshalErr != nil {
		err = fmt.Errorf("%s the script: exit code %d, %w", args[0], code, unmarshalErr)
	}
	return code, err
}

// command runs tmrun in the script's folder, so that messages name the script and no path
// of the server, and returns its exit code. With events, tmrun is told to write them to its
// file descriptor 3, and to end when its stdin does.
func (m *Manager) command(ctx context.Context, dir string, args []string, stdout, stderr io.Writer, events func(api.Event)) (code int, err error) {
	cmd := m.o.Program(ctx, args...)
	cmd.Env = append(cmd.Env, "TMPDIR="+os.TempDir()) // a script's process sees no secrets
	cmd.Dir = dir
	cmd.Stdout = stdout
	cmd.Stderr = stderr
	cmd.WaitDelay = endTime
	if events == nil {
		return exitCode(cmd.Run())
	}

	// When this process ends, however it does, its end of the pipe closes.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	defer stdin.Close()
	cmd.Cancel = stdin.Close

	// The child has the only other end of the events, so that they end with it.
	reader, writer, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	cmd.ExtraFiles = []*os.File{writer}

	err = cmd.Start()
	writer.Close()
	if err != nil {
		return 0, err
	}

	// The events end with the process, or with one that it has left behind: then Wait ends it.
	read := make(chan struct{})
	go func() {
		defer close(read)
		for decoder := json.NewDecoder(reader); ; {
			var event api.Event
			if decoder.Decode(&event) != nil {
				return
			}
			events(event)
		}
	}()

	err = cmd.Wait()
	reader.SetReadDeadline(time.Now().Add(endTime))
	<-read
	return exitCode(err)
}

// exitCode returns the exit code of a process that has exited by itself, else an error.
func exitCode(err error) (int, error) {
	exit, ok := errors.AsType[*exec.ExitError](err)
	switch {
	case err == nil:
		return 0, nil
	case ok && exit.Exited():
		return exit.ExitCode(), nil
	}
	return 0, err
}

// results returns the files of a run's result.
func (m *Manager) results(id string) (results []api.Result, err error) {
	// A root opens no link that leads out of the folder.
	dir, err := m.root.OpenRoot(runDir(id) + "/" + resultsDir)
	if err != nil {
		return nil, err
	}
	defer dir.Close()

	folder, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer folder.Close()

	entries, err := folder.ReadDir(-1)
	if err != nil {
		return nil, err
	}

	// With the sum a client can check its download.
	for _, entry := range entries {
		file, err := dir.Open(entry.Name())
		if err != nil {
			return nil, err
		}

		hash := sha256.New()
		size, err := io.Copy(hash, file)
		if err := errors.Join(err, file.Close()); err != nil {
			return nil, err
		}

		results = append(results, api.Result{Name: entry.Name(), Bytes: size, Sum: hex.EncodeToString(hash.Sum(nil))})
	}
	return results, nil
}

// OpenResult opens a file of a run's result; the caller closes it.
func (m *Manager) OpenResult(id, name string) (*os.File, error) {
	run, _, err := m.Get(id)
	if err != nil {
		return nil, err
	}

	for _, result := range run.Results {
		if result.Name == name {
			return m.root.Open(runDir(id) + "/" + resultsDir + "/" + name)
		}
	}
	return nil, ErrUnknown
}

// OpenLog opens the log of a run; the caller closes it. It grows while the run goes on.
func (m *Manager) OpenLog(id string) (*os.File, error) {
	if _, _, err := m.Get(id); err != nil {
		return nil, err
	}
	return m.root.Open(runDir(id) + "/" + logFile)
}

// boundedLog passes on what fits.
type boundedLog struct {
	w             io.Writer
	left, written int64
}

// Write implements io.Writer. It never fails: a script may print as much as it likes.
func (l *boundedLog) Write(text []byte) (int, error) {
	fits := text[:min(int64(len(text)), l.left)]
	written, _ := l.w.Write(fits)
	l.left -= int64(written)
	l.written += int64(written)
	return len(text), nil
}
