package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// jobMetrics are the metrics of jobs.
type jobMetrics struct {
	ended *prometheus.CounterVec
	last  *prometheus.GaugeVec
}

// jobMetrics registers the metrics of jobs.
func (s *serving) jobMetrics() jobMetrics {
	metrics := jobMetrics{
		ended: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "telemetry_jobs_total", Help: "Jobs that ended, by script of the folder and last state.",
		}, []string{"script", "state"}),
		last: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "telemetry_job_failed", Help: "Whether the last job of a script of the folder failed.",
		}, []string{"script"}),
	}
	s.registry.MustRegister(metrics.ended, metrics.last)
	return metrics
}

// failureTime is what a command or a request of --on-failure and --on-alert may take.
const failureTime = 30 * time.Second

// jobEnded returns what counts jobs that ended, and reports scheduled ones that failed.
func (s *serving) jobEnded(metrics jobMetrics) func(context.Context, api.Run) {
	return func(ctx context.Context, run api.Run) {
		metrics.ended.WithLabelValues(run.Script, string(run.State)).Inc()
		failed := 0.0
		if run.State == api.Failed {
			failed = 1
		}
		if run.Script != "" {
			metrics.last.WithLabelValues(run.Script).Set(failed)
		}

		if failed == 0 || run.Cause == api.ByRequest || s.c.OnFailure == "" {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, failureTime)
		defer cancel()
		if err := report(ctx, s.c.OnFailure, run); err != nil {
			s.st.Log.Error("--on-failure", "job", run.ID, "err", err)
		}
	}
}

// report posts a value as JSON to a URL, or hands it to a shell command's stdin.
func report(ctx context.Context, target string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}

	if strings.HasPrefix(target, "http://") || strings.HasPrefix(target, "https://") {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(text))
		var answer *http.Response
		if err == nil {
			request.Header.Set("Content-Type", "application/json")
			answer, err = http.DefaultClient.Do(request)
		}
		if failed, ok := errors.AsType[*url.Error](err); ok {
			return failed.Err // without the URL, which may hold a secret
		}
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.StatusCode >= 300 {
			return fmt.Errorf("the webhook answers %s", answer.Status)
		}
		return nil
	}

	// The value is data on stdin, never part of the command.
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", target)
	cmd.Stdin = bytes.NewReader(text)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return errors.Join(err, errors.New(string(out[:min(len(out), 1000)])))
	}
	return nil
}
