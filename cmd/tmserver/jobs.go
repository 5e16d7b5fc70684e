package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/cmd/tmserver/admin"
	"github.com/aitgithub/telemetry-server/engine/jobs"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/layout"
)

// jobFlags say which jobs a server runs, and how.
type jobFlags struct {
	Scripts    string        `env:"TMSERVER_SCRIPTS" placeholder:"DIR" help:"Folder of scripts, which run by their schedule and from the page."`
	Tmrun      string        `env:"TMSERVER_TMRUN" placeholder:"FILE" help:"The program tmrun, which runs jobs. Default: the one beside tmserver, else the one in PATH."`
	OnFailure  string        `env:"TMSERVER_ON_FAILURE" placeholder:"CMD|URL" help:"What learns of a scheduled job that failed: a URL that gets a POST, or a shell command; either gets the job as JSON."`
	OnAlert    string        `env:"TMSERVER_ON_ALERT" placeholder:"CMD|URL" help:"What learns of each change of a script's alert, as --on-failure of a job."`
	JobQueue   int           `env:"TMSERVER_JOB_QUEUE" default:"16" placeholder:"N" help:"Jobs that wait; more are answered 429."`
	JobResults int           `env:"TMSERVER_JOB_RESULTS" default:"30" placeholder:"N" help:"Runs of each script that are kept with their results, and of scripts that came with requests."`
	JobTimeout time.Duration `env:"TMSERVER_JOB_TIMEOUT" default:"1h" help:"What one job may take."`
	JobMemory  int64         `env:"TMSERVER_JOB_MEMORY" default:"536870912" placeholder:"BYTES" help:"Memory that one task of a job may take."`
	JobOutput  int64         `env:"TMSERVER_JOB_OUTPUT" default:"1073741824" placeholder:"BYTES" help:"What one job may write."`
}

// validate checks ranges.
func (f *jobFlags) validate() error {
	if f.JobQueue < 1 || f.JobResults < 1 || f.JobTimeout <= 0 || f.JobMemory < 1 || f.JobOutput < 1 {
		return cli.Usage("--job-queue, --job-results, --job-timeout, --job-memory and --job-output must be greater than zero")
	}
	return nil
}

// findTmrun returns the path of the program that runs jobs.
func (f *jobFlags) findTmrun() (string, error) {
	if f.Tmrun != "" {
		return filepath.Abs(f.Tmrun)
	}
	if self, err := os.Executable(); err == nil {
		beside := filepath.Join(filepath.Dir(self), "tmrun")
		if _, err := os.Stat(beside); err == nil {
			return beside, nil
		}
	}
	path, err := exec.LookPath("tmrun")
	if err != nil {
		return "", cli.WithHint(cli.Usage("the program tmrun, which runs jobs, is neither beside tmserver nor in PATH"), "--tmrun names it")
	}
	return filepath.Abs(path)
}

// buildJobs opens the jobs and the folder of scripts. Without an admin address nobody could
// start a job or see a result; without tmrun only a folder of scripts is an error. What is
// wrong with the store of jobs is logged.
func (s *serving) buildJobs(ctx context.Context) (part, error) {
	tmrun, err := s.c.findTmrun()
	if s.c.Scripts == "" && (err != nil || s.c.AdminListen == "") {
		return part{}, nil
	}
	if err != nil {
		return part{}, err
	}
	dataDir, err := filepath.Abs(s.c.DataDir)
	if err != nil {
		return part{}, err
	}

	options := jobs.DefaultOptions()
	options.Dir = filepath.Join(dataDir, layout.JobsDir)
	options.DataDir = dataDir
	options.Queue = s.c.JobQueue
	options.Keep = s.c.JobResults
	options.Time = s.c.JobTimeout
	options.TaskBytes = s.c.JobMemory
	options.OutputBytes = s.c.JobOutput
	options.Published = s.published.Load
	options.Version = cli.Version()
	options.Now = s.st.Now
	options.Log = s.st.Log
	options.Program = func(ctx context.Context, args ...string) *exec.Cmd { return exec.CommandContext(ctx, tmrun, args...) }
	options.Ended = s.jobEnded(s.jobMetrics())
	if s.c.OnAlert != "" {
		options.Alert = func(ctx context.Context, change api.AlertChange) error {
			ctx, cancel := context.WithTimeout(ctx, failureTime)
			defer cancel()
			return report(ctx, s.c.OnAlert, change)
		}
	}
	manager, err := jobs.Open(options)
	if err != nil {
		// Submissions must be received without jobs, too: the disk may be full.
		s.st.Log.Error("no jobs are run until the next start", "err", err)
		return part{}, nil
	}
	s.api = &admin.API{Manager: manager}

	// A script that does not load is no error: it is listed.
	if s.c.Scripts != "" {
		s.api.Scripts, err = jobs.OpenScripts(ctx, s.c.Scripts, manager)
		if err != nil {
			return part{}, errors.Join(cli.Fail(cli.ExitUsage, fmt.Errorf("--scripts: %w", err)), manager.Close())
		}
		s.reloaders.add(func() error {
			s.api.Scripts.Reload()
			return nil
		})
	}

	running := inBackground(context.WithoutCancel(ctx), func(ctx context.Context) {
		var both sync.WaitGroup
		both.Go(func() { manager.Run(ctx) })
		if s.api.Scripts != nil {
			both.Go(func() { s.api.Scripts.Run(ctx) })
		}
		both.Wait()
	})
	return part{
		start: running.start,
		stop:  running.stop,
		close: func() error { return errors.Join(running.close(), manager.Close()) },
	}, nil
}

// registerJobs adds the API of the jobs to the admin address.
func (s *serving) registerJobs(mux *http.ServeMux) {
	if s.api != nil {
		s.api.Register(mux)
	}
}
