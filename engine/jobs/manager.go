package jobs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// Options configure a Manager.
type Options struct {
	// Dir is the folder of the store and of the runs' files; made if missing.
	Dir string
	// DataDir is the data folder that jobs read.
	DataDir string
	// Program returns the command that runs tmrun with those arguments. It gets no secrets
	// in its environment.
	Program func(ctx context.Context, args ...string) *exec.Cmd
	// Queue bounds the runs that wait. One runs at a time, with all processors.
	Queue int
	// Keep is how many runs of each script are kept, and of all that came with requests.
	Keep int
	// Limits of each run: its time, the memory of each of its tasks, its output.
	Time        time.Duration
	TaskBytes   int64
	OutputBytes int64
	// Published returns a number that grows when records were published, for scripts that
	// are live; nil: none of them is run.
	Published func() int64
	// Version of the server, for the results.
	Version string
	// Ended is called after each run that began, with its last state; may be nil.
	Ended func(context.Context, api.Run)
	// Alert reports a change of an alert; may be nil. One that fails is reported again.
	Alert func(context.Context, api.AlertChange) error
	Now   func() time.Time
	Log   *slog.Logger
}

// DefaultOptions returns the options, without those that have no default.
func DefaultOptions() Options {
	return Options{
		Queue: 16, Keep: 30,
		Time: time.Hour, TaskBytes: 512 << 20, OutputBytes: 1 << 30,
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
}

// Errors of a Manager.
var (
	ErrFull    = errors.New("the queue is full")
	ErrUnknown = errors.New("there is no such run")
	ErrRequest = errors.New("bad request") // wrapped; the text says which part
)

// Manager runs jobs and keeps their results. Safe for concurrent use.
type Manager struct {
	o       Options
	store   *store
	root    *os.Root      // of Options.Dir
	waiting chan struct{} // a token for each run that waits
	ended   chan struct{} // a token after runs that ended, for backfills
	alerted chan struct{} // a token after changes of alerts, to be reported

	alerting sync.Mutex // held while the state of an alert changes

	mu      sync.Mutex // protects what follows
	runs    map[string]*tracked
	ofDays  map[string]bool // IDs of the runs that are results of days, which are kept
	queue   []string        // IDs, in the order of running
	last    string          // the greatest ID so far
	stopped bool
}

// tracked is a run and those who watch it.
type tracked struct {
	run     api.Run
	source  string        // the path of a script of the folder; "": it came with the request
	changed chan struct{} // closed at each change, and replaced
	cancel  context.CancelCauseFunc
	rule    *api.AlertRule // of the script as it was run; nil: none
	message string         // what its function alert said of the result
}

// errCancelled is why a run ends that a person cancels.
var errCancelled = errors.New("cancelled")

// Open opens the folder of jobs. Runs that were not finished are interrupted.
func Open(options Options) (_ *Manager, err error) {
	// tmrun runs elsewhere, and gets paths below it.
	if options.Dir, err = filepath.Abs(options.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(options.Dir, runsDir), 0o700); err != nil {
		return nil, err
	}

	opened := &Manager{o: options, runs: map[string]*tracked{}, ofDays: map[string]bool{}, waiting: make(chan struct{}, options.Queue+1), ended: make(chan struct{}, 1), alerted: make(chan struct{}, 1)}
	if opened.root, err = os.OpenRoot(options.Dir); err != nil {
		return nil, err
	}
	if opened.store, err = openStore(options.Dir); err != nil {
		return nil, errors.Join(err, opened.root.Close())
	}

	// The results of days are kept.
	daysErr := opened.store.each(daysBucket, "", func(text []byte) error {
		var day api.Day
		err := json.Unmarshal(text, &day)
		opened.ofDays[day.Run] = true
		return err
	})

	// A run that has not ended belongs to a process that died.
	all, err := opened.store.runs()
	err = errors.Join(err, daysErr)
	for _, run := range all {
		if !run.State.Ended() {
			run.State = api.Interrupted
			run.Error = "the server ended before the run did"
			run.Ended = options.Now().UTC()
			err = errors.Join(err, opened.store.put(runsBucket, run.ID, run))
		}
		opened.runs[run.ID] = &tracked{run: *run, changed: make(chan struct{})}
		opened.last = max(opened.last, run.ID)
	}

	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	return opened, nil
}

// Close closes the store, after Run.
func (m *Manager) Close() error { return errors.Join(m.store.close(), m.root.Close()) }

// Run runs what is queued until ctx ends; then it interrupts what runs, and waits for it.
func (m *Manager) Run(ctx context.Context) {
	var reporting sync.WaitGroup
	defer reporting.Wait()
	reporting.Go(func() { m.reportAlerts(ctx) })

	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-m.waiting:
			m.runNext(ctx)
		}
	}

	// What still waits is interrupted, too.
	m.mu.Lock()
	m.stopped = true
	queue := m.queue
	m.queue = nil
	m.mu.Unlock()

	for _, id := range queue {
		m.change(id, func(run *api.Run) { m.end(run, api.Interrupted, "the server ended before the run began") })
	}
}

// end sets the last state of a run.
func (m *Manager) end(run *api.Run, state api.State, text string) {
	run.State = state
	run.Error = text
	run.Ended = m.o.Now().UTC()
}

// newID returns an ID that is greater than those before: the time in milliseconds, moved on if
// it is taken. Caller holds mu.
func (m *Manager) newID() string {
	at := m.o.Now().UTC()
	id := at.Format("20060102-150405.000")

	// Two runs within a millisecond, or after the clock was set back, need two IDs.
	for id <= m.last {
		at = at.Add(time.Millisecond)
		id = at.Format("20060102-150405.000")
	}
	m.last = id
	return id
}

// Start queues a run. Its files are copied first, so that what runs is what was requested.
// Errors are ErrFull, or wrap ErrRequest.
func (m *Manager) Start(request api.Request, order Order) (api.Run, error) {
	if err := validate(&request); err != nil {
		return api.Run{}, err
	}

	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stopped || len(m.queue) >= m.o.Queue {
		return api.Run{}, ErrFull
	}

	// The run is named after its script; its files lie in a folder of their own.
	run := api.Run{
		ID: m.newID(), Name: request.Main, Script: order.Script, Cause: order.Cause,
		State: api.Queued, Created: m.o.Now().UTC(), From: api.From{Version: m.o.Version},
	}

	if run.Script != "" {
		run.Name = run.Script
	}

	if err := m.writeFiles(run.ID, request); err != nil {
		return api.Run{}, err
	}

	// The request is stored without the files, which may be long.
	run.Request = request
	run.Request.Files = nil
	if err := m.store.put(runsBucket, run.ID, run); err != nil {
		return api.Run{}, err
	}

	// It is stored, so a crash from here on leaves it as interrupted.
	m.runs[run.ID] = &tracked{run: run, source: order.Source, changed: make(chan struct{})}
	m.queue = append(m.queue, run.ID)
	m.waiting <- struct{}{} // has room for each run of the queue
	return run, nil
}

// Order says why a run is started.
type Order struct {
	Script string // of the folder; "": it came with the request
	Source string // the path of that script
	Cause  string
}

// change changes a run, stores it and wakes those who watch it.
func (m *Manager) change(id string, change func(*api.Run)) {
	m.mu.Lock()
	defer m.mu.Unlock()

	known := m.runs[id]
	if known == nil {
		return
	}

	// Progress changes often; only a change of the state is worth a sync of the store.
	before := known.run.State
	change(&known.run)
	if known.run.State != before {
		if err := m.store.put(runsBucket, id, known.run); err != nil {
			m.o.Log.Error("a run cannot be stored", "job", id, "err", err)
		}
	}

	// Closing it wakes all waiters; their next Get returns the new channel.
	close(known.changed)
	known.changed = make(chan struct{})
}

// Get returns a run as it is now, and a channel that is closed when it changes.
func (m *Manager) Get(id string) (run api.Run, changed <-chan struct{}, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()

	known := m.runs[id]
	if known == nil {
		return api.Run{}, nil, ErrUnknown
	}
	return known.run, known.changed, nil
}

// Runs returns the runs of a script, or all with "", the newest first.
func (m *Manager) Runs(script string) []api.Run {
	m.mu.Lock()
	defer m.mu.Unlock()

	runs := []api.Run{}
	for _, known := range m.runs {
		if script == "" || known.run.Script == script {
			runs = append(runs, known.run)
		}
	}

	slices.SortFunc(runs, func(a, b api.Run) int { return cmp.Compare(b.ID, a.ID) })
	return runs
}

// isActive reports whether a run of a script waits or goes on.
func (m *Manager) isActive(script string) bool {
	for _, run := range m.Runs(script) {
		if !run.State.Ended() {
			return true
		}
	}
	return false
}

// Cancel ends a run, if it has not ended.
func (m *Manager) Cancel(id string) error {
	m.mu.Lock()

	known := m.runs[id]
	if known == nil {
		m.mu.Unlock()
		return ErrUnknown
	}

	// A run that goes on ends with its context.
	if known.cancel != nil {
		known.cancel(errCancelled)
	}

	// One that waits leaves the queue, with its token in waiting.
	at := slices.Index(m.queue, id)
	if at >= 0 {
		m.queue = slices.Delete(m.queue, at, at+1)
		select {
		case <-m.waiting: // its token
		default: // Run has it, and finds less in the queue
		}
	}
	m.mu.Unlock()

	// change locks mu itself, so it comes after the unlock.
	if at >= 0 {
		m.change(id, func(run *api.Run) { m.end(run, api.Cancelled, "cancelled before it began") })
	}
	return nil
}

// runNext runs the first run of the queue.
func (m *Manager) runNext(ctx context.Context) {
	m.mu.Lock()

	// The run of this token may have been cancelled.
	if len(m.queue) == 0 {
		m.mu.Unlock()
		return
	}
	id := m.queue[0]
	m.queue = m.queue[1:]

	// From here on Cancel ends the run through ctx.
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	known := m.runs[id]
	known.cancel = cancel
	m.mu.Unlock()

	m.change(id, func(run *api.Run) {
		run.State = api.Running
		run.Started = m.o.Now().UTC()
	})
	m.execute(ctx, id, known.source)

	// Tell the log and the caller, and make room for newer runs.
	run, _, err := m.Get(id)
	if err != nil {
		return
	}
	m.o.Log.Info("job ended", "job", id, "script", run.Name, "state", run.State, "exit_code", run.Code, "took", run.Ended.Sub(run.Started))
	if m.o.Ended != nil {
		m.o.Ended(ctx, run)
	}
	if err := m.checkAlert(known.rule, known.message, run); err != nil {
		m.o.Log.Error("an alert cannot be checked", "job", run.ID, "err", err)
	}
	m.prune(run.Script)
	select {
	case m.ended <- struct{}{}:
	default: // it has one
	}
}

// keptLive is how many runs of a live script are kept that publications have started: the
// newest result, and that of before.
const keptLive = 2

// prune removes the oldest runs of a script beyond those that are kept. Results of days stay,
// and the newest run, which may become one.
func (m *Manager) prune(script string) {
	kept, live := 0, 0
	for _, run := range m.Runs("") {
		m.mu.Lock()
		ofDay := m.ofDays[run.ID]
		m.mu.Unlock()
		if run.Script != script || !run.State.Ended() || ofDay {
			continue
		}

		// Those of live scripts are many, and replace each other.
		if run.Cause == api.ByLive {
			if live++; live <= keptLive {
				continue
			}
		} else if kept++; kept <= m.o.Keep {
			continue
		}

		// First off the list, so that Get returns no run whose files are half removed.
		m.mu.Lock()
		delete(m.runs, run.ID)
		m.mu.Unlock()
		if err := errors.Join(m.store.remove(run.ID), m.root.RemoveAll(runsDir+"/"+run.ID)); err != nil {
			m.o.Log.Warn("an old run cannot be removed", "job", run.ID, "err", err)
		}
	}
}

// requestError wraps ErrRequest.
func requestError(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRequest, fmt.Errorf(format, args...))
}
