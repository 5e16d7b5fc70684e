package jobs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/script/reload"
)

// Scripts is a folder of scripts that run by their schedule. Safe for concurrent use.
type Scripts struct {
	manager *Manager
	dir     string
	folder  *reload.Folder[loaded]

	backfilling sync.Mutex // held while the state of backfills changes

	live map[string]shown // by script: what its newest live run has; of Run
}

// loaded is a script that can run.
type loaded struct {
	api.Exports
	imports  []string      // paths
	schedule cron.Schedule // nil: none
}

// served says when the schedule of a script was served last.
type served struct {
	Schedule string    `json:"schedule"`
	Last     time.Time `json:"last"`
}

// OpenScripts opens a folder of scripts. One that does not load is listed with its error.
func OpenScripts(ctx context.Context, dir string, manager *Manager) (*Scripts, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}

	// A script is described in a process of its own; here only its schedule is parsed.
	opened := &Scripts{manager: manager, dir: dir, live: map[string]shown{}}
	opened.folder, err = reload.Open(ctx, dir, reload.Options[loaded]{
		Wants: isScript,
		Log:   manager.o.Log,
		Compile: func(ctx context.Context, path string, _ []byte) (loaded, []string, error) {
			described, _, err := manager.describe(ctx, path, io.Discard)
			if err == nil && described.Error != "" {
				err = errors.New(described.Error)
			}

			found := loaded{Exports: described.Exports, imports: described.Imports}
			if err == nil && found.Schedule != "" {
				found.schedule, err = cron.ParseStandard(found.Schedule)
				if err != nil {
					err = fmt.Errorf("%s: schedule: %w", path, err)
				}
			}
			if err == nil {
				_, err = parseAlert(found.Alert)
			}
			return found, described.Imports, err
		},
	})
	if err != nil {
		return nil, err
	}
	return opened, nil
}

// isScript reports whether a file in the folder is a script by its name. What scripts
// import begins with "_" or lies in a folder of its own.
func isScript(name string) bool {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	return slices.Contains([]string{".js", ".ts"}, ext) && !strings.HasPrefix(name, "_") &&
		!strings.HasSuffix(base, ".test") && !strings.HasSuffix(base, ".d")
}

// scheduleTick is how often the schedules are compared with the clock.
const scheduleTick = time.Second

// Run loads scripts again when they change, and starts those that are due, until ctx ends.
func (s *Scripts) Run(ctx context.Context) {
	// The folder is watched until ctx ends, and Run returns after that.
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		s.folder.Run(ctx)
	}()
	defer func() { <-watched }()

	ticker := time.NewTicker(scheduleTick)
	defer ticker.Stop()

	for {
		if err := s.startDue(); err != nil {
			s.manager.o.Log.Error("scheduled scripts cannot be started", "err", err)
		}
		if err := s.startLive(); err != nil {
			s.manager.o.Log.Error("live scripts cannot be started", "err", err)
		}
		if err := s.advance(); err != nil {
			s.manager.o.Log.Error("backfills do not advance", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.manager.ended:
		case <-ticker.C:
		}
	}
}

// Reload reads the folder now.
func (s *Scripts) Reload() { s.folder.Reload() }

// startDue starts the scripts whose time has come since they were served last, however
// often it came: runs that were missed are caught up once.
func (s *Scripts) startDue() error {
	var errs []error
	now := s.manager.o.Now().UTC()
	for _, version := range s.folder.All() {
		schedule := version.Value.schedule
		if schedule == nil || version.Loaded.IsZero() {
			continue
		}

		last, err := s.lastServed(version.Name, version.Value.Schedule, now)
		if err != nil {
			errs = append(errs, err)
			continue
		}

		// One run of a script at a time: what is due waits for the end of the other.
		due := schedule.Next(last)
		if due.IsZero() || due.After(now) || s.manager.isActive(version.Name) {
			continue
		}

		// A run that comes late was missed: the server was down, or the script still ran.
		cause := api.BySchedule
		if now.Sub(due) > time.Minute {
			cause = api.ByCatchUp
		}

		// It counts as served when it is queued. If the process ends between the two, the
		// script runs twice, which is better than not at all.
		_, err = s.Start(version.Name, api.Request{}, cause)
		if errors.Is(err, ErrFull) {
			continue // at the next tick
		}
		if err == nil {
			err = s.manager.store.put(timesBucket, version.Name, served{version.Value.Schedule, now})
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// lastServed returns when a schedule was served last; a new one begins now.
func (s *Scripts) lastServed(name, schedule string, now time.Time) (time.Time, error) {
	var stored served
	ok, err := s.manager.store.get(timesBucket, name, &stored)
	if err != nil || ok && stored.Schedule == schedule {
		return stored.Last, err
	}

	// A new or changed schedule counts from now: it has missed nothing yet.
	return now, s.manager.store.put(timesBucket, name, served{schedule, now})
}

// Start queues a run of a script of the folder.
func (s *Scripts) Start(name string, request api.Request, cause string) (api.Run, error) {
	version, ok := s.folder.Get(name)
	if !ok {
		return api.Run{}, requestError("there is no script %q", name)
	}
	if version.Loaded.IsZero() {
		return api.Run{}, requestError("script %q does not load: %v", name, version.Err)
	}

	request.Script = name
	return s.manager.Start(request, Order{Script: name, Source: filepath.Join(s.dir, name), Cause: cause})
}

// List returns the scripts of the folder, by name.
func (s *Scripts) List() []api.Script {
	scripts := []api.Script{}
	for _, version := range s.folder.All() {
		script := api.Script{Name: version.Name, Exports: version.Value.Exports, Loaded: version.Loaded.UTC(), Failed: version.Failed.UTC()}

		// Clients see no paths of the server.
		if version.Err != nil {
			script.Error = strings.ReplaceAll(version.Err.Error(), s.dir+"/", "")
		}

		if version.Value.schedule != nil {
			now := s.manager.o.Now().UTC()
			if last, err := s.lastServed(version.Name, version.Value.Schedule, now); err == nil {
				script.Next = version.Value.schedule.Next(last)
			}
		}

		var alert api.Alert
		if ok, err := s.manager.store.get(alertsBucket, version.Name, &alert); ok && err == nil {
			script.State = &alert
		}

		if runs := s.manager.Runs(version.Name); len(runs) > 0 {
			script.Last = &runs[0]
		}

		scripts = append(scripts, script)
	}
	return scripts
}

// Get returns a script of the folder; ok is false if there is none of that name.
func (s *Scripts) Get(name string) (script api.Script, ok bool) {
	for _, script := range s.List() {
		if script.Name == name {
			return script, true
		}
	}
	return api.Script{}, false
}

// Source returns the text of a script of the folder, as it is now, with what it imported
// when it was loaded. It returns ErrUnknown if there is none of that name.
func (s *Scripts) Source(name string) (source api.Source, err error) {
	version, ok := s.folder.Get(name)
	if !ok {
		return source, ErrUnknown
	}

	root, err := os.OpenRoot(s.dir)
	if err != nil {
		return source, err
	}
	defer root.Close()

	source = api.Source{Main: name, Files: map[string]string{}}
	for _, path := range append([]string{filepath.Join(s.dir, name)}, version.Value.imports...) {
		relative, err := filepath.Rel(s.dir, path)
		if err != nil || !filepath.IsLocal(relative) {
			return source, requestError("script %q imports %s from another folder", name, filepath.Base(path))
		}

		text, err := root.ReadFile(relative)
		if err != nil {
			return source, err
		}
		source.Files[filepath.ToSlash(relative)] = string(text)
	}
	return source, nil
}
