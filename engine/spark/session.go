package spark

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/aitgithub/telemetry-server/engine"
)

// Session is an application on a cluster, which runs one job after the other. Not safe for
// concurrent use. The caller closes it.
type Session struct {
	cluster Cluster
	ctx     context.Context // of the application
	cancel  func()
	cmd     *exec.Cmd
	dir     string
	events  chan event // closed when spark-submit's output ends
	said    tail       // what it and the driver print beside events
	jobs    int
}

// stopTime is how long spark-submit may take to end when it is told to.
const stopTime = 15 * time.Second

// event is a line of driver.py.
type event struct {
	Event       string          `json:"event"`
	Status      json.RawMessage `json:"status"`
	Cores       int             `json:"cores"`
	Shards      int             `json:"shards"`
	Application string          `json:"application"`
	Text        string          `json:"text"`
}

// Start submits the application, which ends with ctx. Errors wrap ErrMaster or ErrSubmit.
func Start(ctx context.Context, cluster Cluster) (_ *Session, err error) {
	if err := checkMaster(ctx, cluster.Master); err != nil {
		return nil, err
	}

	dir, err := os.MkdirTemp(cluster.WorkDir, "tmrun-spark-*")
	if err != nil {
		return nil, fmt.Errorf("create work folder: %w", err)
	}

	s := &Session{cluster: cluster, dir: dir, events: make(chan event)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	defer func() {
		if err != nil {
			s.cancel()
			os.RemoveAll(dir)
		}
	}()

	// The driver is embedded, but spark-submit reads a file.
	program := filepath.Join(dir, "driver.py")
	if err := os.WriteFile(program, driver, 0o600); err != nil {
		return nil, err
	}

	args := []string{"--master", cluster.Master, "--deploy-mode", "client", "--name", cluster.Name, "--conf", "spark.ui.showConsoleProgress=false"}
	for _, property := range cluster.Conf {
		args = append(args, "--conf", property)
	}
	s.cmd = exec.CommandContext(s.ctx, cluster.Submit, append(args, program, dir)...)
	s.cmd.Stderr = &s.said

	// A JVM whose heap is full may lose the thread that others wait for, and then wait for ever.
	// So it ends. Java reads this variable itself; options of Spark would replace the user's.
	s.cmd.Env = append(os.Environ(), "JDK_JAVA_OPTIONS=-XX:+ExitOnOutOfMemoryError "+os.Getenv("JDK_JAVA_OPTIONS"))

	// It starts a JVM and Python, so its signals go to the whole process group.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Cancel = func() error { return syscall.Kill(-s.cmd.Process.Pid, syscall.SIGTERM) }
	s.cmd.WaitDelay = stopTime

	// The driver's events come on its standard output.
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSubmit, err)
	}

	go s.read(bufio.NewReader(out))
	return s, nil
}

// read reads events until the output ends.
func (s *Session) read(out *bufio.Reader) {
	defer close(s.events)
	for {
		line, err := out.ReadBytes('\n')
		var e event

		// Lines of the driver begin with a record separator; all others are Spark's own.
		text, ok := bytes.CutPrefix(line, []byte("\x1e"))
		if ok && json.Unmarshal(text, &e) == nil {
			select {
			case s.events <- e:
			case <-s.ctx.Done():
			}
		} else {
			s.said.Write(line)
		}

		if err != nil {
			return
		}
	}
}

// Close ends the application.
func (s *Session) Close() {
	// The driver ends when this file appears; if it takes too long, it is terminated.
	os.WriteFile(filepath.Join(s.dir, "end"), nil, 0o600)
	timer := time.AfterFunc(stopTime, s.cancel)

	// Until the end its events must be received, or read would block it.
	for range s.events {
	}
	s.cmd.Wait()

	timer.Stop()
	s.cancel()
	syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // whatever is left of the group
	os.RemoveAll(s.dir)
}

// Run runs a job and returns the rows of its shards. Errors are those of Ended, of the
// lowest task, or wrap one of the package's.
func (s *Session) Run(job *Job, tasks []engine.Task) (*Rows, error) {
	rows := filepath.Join(s.dir, fmt.Sprintf("rows-%d", s.jobs))
	file, err := s.submit(job, tasks, rows)
	if err != nil {
		return nil, fmt.Errorf("prepare job: %w", err)
	}

	run := &running{job: job, tasks: len(tasks), mapped: map[int]bool{}}
	for e := range s.events {
		switch e.Event {
		case "started":
			if s.cluster.Started != nil {
				s.cluster.Started(e.Cores, e.Application)
			}
		case "map", "reduce":
			run.ended(e)

			// A lower task may still fail, and then its error counts: wait for those before.
			if run.err != nil && run.allBefore(run.failed) {
				os.WriteFile(file.Cancel, nil, 0o600)
			}
		case "error":
			// A job that was cancelled fails, too.
			if run.err != nil {
				return nil, run.err
			}
			return nil, fmt.Errorf("%w: %s", ErrJob, firstLines(e.Text))
		case "done":
			if run.err != nil {
				return nil, run.err
			}
			return openRows(rows, e.Shards)
		}
	}

	// Spark has ended before the job.
	s.cmd.Wait()
	if err := context.Cause(s.ctx); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("%w: %w: %s", ErrSubmit, errEnded, s.said.String())
}

var errEnded = errors.New("it ended before the job")

// submit writes the file of a job, and what that names.
func (s *Session) submit(job *Job, tasks []engine.Task, rows string) (*jobFile, error) {
	number := strconv.Itoa(s.jobs)
	s.jobs++

	if err := os.Mkdir(rows, 0o700); err != nil {
		return nil, err
	}

	archive := filepath.Join(s.dir, number+".tar.gz")
	if err := job.writeArchive(archive); err != nil {
		return nil, err
	}

	file := &jobFile{Shards: job.Shards, Archive: archive + "#tmrun_job_" + number, Rows: rows, Cancel: filepath.Join(s.dir, number+".cancel")}
	file.Tasks = []json.RawMessage{}
	for _, task := range tasks {
		file.Tasks = append(file.Tasks, engine.EncodeTask(task))
	}

	text, err := json.Marshal(file)
	if err != nil {
		return nil, err
	}

	// The driver reads the file as soon as it exists, so it must appear whole.
	name := filepath.Join(s.dir, number+".json")
	if err := os.WriteFile(name+".tmp", text, 0o600); err != nil {
		return nil, err
	}
	return file, os.Rename(name+".tmp", name)
}

// running is a job that runs.
type running struct {
	job    *Job
	tasks  int
	mapped map[int]bool // map tasks that have ended
	err    error        // of the lowest task that failed
	failed int          // its number
}

// ended notes how a task has ended.
func (r *running) ended(e event) {
	var status struct {
		Task int `json:"task"`
	}
	err := json.Unmarshal(e.Status, &status)

	// Failures are compared by number: all map tasks, then all reduce tasks.
	number := status.Task
	if e.Event == "map" {
		r.mapped[status.Task] = true
	} else {
		number += r.tasks // behind all map tasks
	}

	if err == nil {
		err = r.job.Ended(e.Event, status.Task, e.Status)
	}

	// Of several failures that of the lowest task counts, whichever came first.
	if err != nil && (r.err == nil || number < r.failed) {
		r.err = err
		r.failed = number
	}
}

// allBefore says whether the map tasks before number n have ended.
func (r *running) allBefore(n int) bool {
	for i := range min(n, r.tasks) {
		if !r.mapped[i] {
			return false
		}
	}
	return true
}
