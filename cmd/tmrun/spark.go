package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/engine/spark"
	"github.com/aitgithub/telemetry-server/layout"
)

// sparkFlags say which cluster runs the tasks.
type sparkFlags struct {
	Engine      string   `enum:"local,spark" default:"local" placeholder:"WHERE" help:"local: this process; spark: a Spark cluster, see docs/CLUSTER.md."`
	Master      string   `placeholder:"URL" help:"With --engine spark: spark://HOST:PORT, local[N], yarn or k8s://URL."`
	SparkSubmit string   `name:"spark-submit" env:"TMRUN_SPARK_SUBMIT" default:"spark-submit" placeholder:"PROGRAM" help:"The program that submits to it."`
	SparkConf   []string `name:"spark-conf" sep:"none" placeholder:"KEY=VALUE" help:"A property for spark-submit; repeatable."`
	ExecutorBin string   `name:"executor-binary" predictor:"file" placeholder:"FILE" help:"tmrun for the platform of the executors (default: this one)."`

	cluster *spark.Session // that is used; nil: not yet
}

// checkSpark refuses flags that only tasks of this machine have.
func (c *runCmd) checkSpark() error {
	if c.Engine != "spark" {
		if c.Master != "" {
			return cli.WithHint(cli.Usage("--master %s: only Spark has one", c.Master), "--engine spark")
		}
		return nil
	}

	switch {
	case c.Master == "":
		return cli.WithHint(cli.Usage("--engine spark needs --master"), "--master local[2] tries it on this machine")
	case c.Dedup != "none":
		return cli.Usage("--dedup %s and --engine spark do not go together: a task sees one segment", c.Dedup)
	case c.Isolate:
		return cli.Usage("--isolate and --engine spark do not go together: Spark runs tasks in processes of their own")
	case c.Profile != "":
		return cli.Usage("--profile and --engine spark do not go together: the profile is of this process")
	case c.ExecutorBin == "" && runtime.GOOS != "linux" && c.Master != "" && c.Master[:min(5, len(c.Master))] != "local":
		return cli.WithHint(cli.Usage("executors run another system than this one, %s", runtime.GOOS), "--executor-binary names their tmrun")
	}
	return nil
}

// runTasks runs the tasks of the session's plan, here or on a cluster, and writes the rows
// to sink.
func (c *runCmd) runTasks(ctx context.Context, s *session, sink engine.Sink) (engine.Stats, error) {
	if c.Engine == "spark" {
		return c.runSpark(ctx, s, sink)
	}
	return engine.Run(ctx, s.source, s.plan, s.work, sink, s.engine)
}

// runSpark is engine.Run on a cluster: the same rows, statistics and errors.
func (c *runCmd) runSpark(ctx context.Context, s *session, sink engine.Sink) (stats engine.Stats, err error) {
	job, err := c.sparkJob(ctx, s)
	if err != nil {
		return stats, err
	}

	// What tasks report is added up as if they had run here.
	stats.Tasks = len(s.plan.Tasks)
	progress := s.engine.Progress
	progress.Tasks.Store(int64(stats.Tasks))
	var rejected int64
	job.Ended = func(phase string, number int, text json.RawMessage) error {
		var status packedStatus
		if err := json.Unmarshal(text, &status); err != nil {
			return fmt.Errorf("status of a task: %w", err)
		}

		c.addStatus(s, &status)
		if len(status.Error) > 0 {
			return c.named(s, decodeError(status.Error), job.ScriptName)
		}

		if phase == "map" {
			progress.TasksDone.Add(1)
			progress.BytesDone.Add(s.plan.Tasks[number].Bytes)
			progress.Records.Add(status.Records)
		} else {
			progress.Reduced.Add(1)
		}

		stats.Add(status.TaskStats)
		stats.Keys += status.Keys
		rejected += status.Rejected + status.Failed

		// The limit is for all tasks together, so it is checked where all reports come.
		if c.MaxErrors >= 0 && rejected > int64(c.MaxErrors) {
			return engine.ErrTooManyRejected
		}
		return nil
	}

	if err := c.openCluster(ctx, s); err != nil {
		return stats, c.sparkError(err)
	}

	rows, err := c.cluster.Run(job, s.plan.Tasks)
	if err != nil {
		return stats, c.sparkError(err)
	}
	defer rows.Close()

	merged, err := engine.MergeRows(rows.Readers(), sink, s.engine.MaxOutput)
	stats.Rows = merged.Rows
	stats.UndefinedRows = merged.UndefinedRows
	return stats, err
}

// openCluster starts the application that runs the job and those whose rows it imports.
func (c *runCmd) openCluster(ctx context.Context, s *session) (err error) {
	if c.cluster != nil {
		return nil
	}

	c.cluster, err = spark.Start(ctx, spark.Cluster{
		Submit: c.SparkSubmit, Master: c.Master, Conf: c.SparkConf, Name: "tmrun " + filepath.Base(c.Script), WorkDir: c.WorkDir,
		Started: func(cores int, application string) {
			if c.Progress == "plain" {
				fmt.Fprintf(s.st.Stderr, "tmrun: Spark application %s on %s\n", application, counted(cores, "core"))
			}
		},
	})
	return err
}

// closeCluster ends the application, if there is one.
func (c *runCmd) closeCluster() {
	if c.cluster != nil {
		c.cluster.Close()
	}
}

// named gives an error of the script the name by which the script was called here.
func (c *runCmd) named(s *session, err error, there string) error {
	if failed, ok := errors.AsType[*script.Error](err); ok && failed.File == there {
		failed.File = s.job.Script.Name
	}
	return err
}

// addStatus adds what the script of a task has counted, logged and failed at.
func (c *runCmd) addStatus(s *session, status *packedStatus) {
	for _, line := range status.Console {
		fmt.Fprintln(s.st.Stderr, line)
	}
	if s.sampled != nil {
		s.sampled.AddMapped(status.Sampled)
	}

	var report taskReport
	if json.Unmarshal(status.Report, &report) == nil {
		s.job.Counters.Add(report.Counters)
		s.job.Fields.Add(report.Fields)
		s.failed.addCalls(report.Failed)
	}
}

// sparkError gives an error of Spark its exit code and hint.
func (c *runCmd) sparkError(err error) error {
	switch {
	case errors.Is(err, spark.ErrMaster):
		return cli.WithHint(cli.Fail(cli.ExitFailed, err), "--master is the URL on top of the master's page; local[2] tries it on this machine")
	case errors.Is(err, spark.ErrSubmit) && (errors.Is(err, os.ErrNotExist) || errors.Is(err, exec.ErrNotFound)):
		return cli.WithHint(cli.Fail(cli.ExitUsage, err), "pip install pyspark brings one; --spark-submit says where it is")
	case errors.Is(err, spark.ErrJob):
		return cli.WithHint(cli.Fail(cli.ExitFailed, err), "the logs of the executors say more")
	}
	return err
}

// sparkJob describes the job for the cluster.
func (c *runCmd) sparkJob(ctx context.Context, s *session) (*spark.Job, error) {
	job := &spark.Job{Shards: int(c.Reducers), Program: c.ExecutorBin, Texts: map[string][]byte{}}
	one, err := s.job.OneShard(ctx)
	if err != nil {
		return nil, err
	}

	tables, err := s.job.Script.Tables(ctx, s.job.Limits)
	if err != nil {
		return nil, err
	}

	// A job that writes after its last key needs all keys in one shard. So do rows that come
	// after their keys: the shards are merged by keys.
	if one || tables.Grouped() {
		job.Shards = 1
	}

	if job.Program == "" {
		if job.Program, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find tmrun for the executors: %w", err)
		}
	}

	if job.Dir, err = os.Getwd(); err != nil {
		return nil, err
	}

	// The script and the filter, with what they import, under their own names.
	scriptName, err := job.AddFile(s.scriptPath, s.job.Script.Imports)
	if err != nil {
		return nil, err
	}

	job.ScriptName = scriptName
	filterName := ""
	if c.InputFilter != "" {
		var imports []string
		if path, text, err := readFilter(c.InputFilter); err == nil && filepath.Ext(path) != ".json" {
			if compiled, err := script.Compile(path, text); err == nil {
				imports = compiled.Imports
			}
		}
		if filterName, err = job.AddFile(c.InputFilter, imports); err != nil {
			return nil, err
		}
	}

	// Executors read the data by an absolute path; the plan's tasks say which of it.
	dataDir := c.DataDir
	if !layout.IsURL(dataDir) {
		if dataDir, err = filepath.Abs(dataDir); err != nil {
			return nil, err
		}
	}

	common := append([]string{"--max-errors", strconv.FormatInt(int64(c.MaxErrors), 10)}, c.callFlags.args(dataDir)...)

	// The rows of imported jobs go along as a file that both map and reduce read.
	if len(s.job.Script.Jobs) > 0 {
		job.Texts[resultsName] = s.results.append(nil)
		common = append(common, "--results", resultsName)
	}

	job.Map = append(slices.Clone(common), "-d", dataDir, "-m", "1")
	job.Map = append(job.Map, c.shareFlags.args()...)
	if filterName != "" {
		job.Map = append(job.Map, "--input-filter", filterName)
	}
	job.Map = append(job.Map, "--", scriptName)

	job.Reduce = slices.Clone(common)
	if s.job.Table != "" {
		job.Reduce = append(job.Reduce, "--table", s.job.Table)
	}
	job.Reduce = append(job.Reduce, "--", scriptName)
	return job, nil
}

// resultsName is the file with the rows that a script imports, in the archive.
const resultsName = ".tmrun-results"
