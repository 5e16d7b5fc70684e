package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"golang.org/x/sync/errgroup"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/datum"
	"github.com/aitgithub/telemetry-server/engine/format"
	"github.com/aitgithub/telemetry-server/engine/script"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// lookFlags say which records the commands that look into the data read: show, fields and
// histograms.
type lookFlags struct {
	DataDir     string   `short:"d" predictor:"folder" name:"data-dir" env:"TMRUN_DATA_DIR" placeholder:"DIR" required:"" help:"A server's data folder, or any partition tree."`
	InputFilter string   `short:"f" predictor:"filter" name:"input-filter" placeholder:"FILE" help:"JSON or JavaScript filter, or the name of a shipped one (default: everything valid)."`
	Where       []string `name:"where" sep:"none" placeholder:"DIM=…" help:"dim=v1,v2 or dim=lo..hi; repeatable, combines with the filter."`
	Output      string   `short:"o" predictor:"file" placeholder:"FILE" help:"Where the result goes (default: standard output)."`
	Mappers     workers  `short:"m" name:"num-mappers" placeholder:"N" help:"Segments read at a time (default: all processors)."`
	callFlags   `embed:""`
}

// sampleFlags say how many records are enough.
type sampleFlags struct {
	Records int  `short:"n" default:"1000" placeholder:"N" help:"How many records to read, always the same ones, spread over all segments."`
	All     bool `help:"Read all records."`
}

// validate checks the flags.
func (f *sampleFlags) validate() error {
	if f.Records < 1 {
		return cli.Usage("--records %d: want at least 1 (--all reads all)", f.Records)
	}
	return nil
}

// seenRecord is a record that is looked at. Its bytes are valid until the next one.
type seenRecord struct {
	dims    schema.Dims
	segment string // its path
	id      []byte
	json    []byte
}

// open selects the records. The caller closes the session, which is nil after an error.
func (f *lookFlags) open(ctx context.Context, st *cli.State) (*session, error) {
	s := newSession(st)
	err := f.choose(ctx, s)
	if err != nil {
		s.close()
		return nil, explainError(st, err, f.DataDir)
	}
	return s, nil
}

// choose takes the steps of a run up to the plan.
func (f *lookFlags) choose(ctx context.Context, s *session) error {
	s.engine.Mappers = f.Mappers.or(s.engine.Mappers)
	if err := s.allowCalls(&f.callFlags, f.DataDir); err != nil {
		return err
	}
	if err := s.loadFilter(ctx, f.InputFilter); err != nil {
		return err
	}

	selected, err := s.selection.parse(f.Where, s.job.Filter.Selection)
	if err != nil {
		return err
	}
	s.job.Filter.Selection = selected

	// The tree is opened last, because mistakes of the flags show without it.
	if err := s.openTree(f.DataDir); err != nil {
		return err
	}
	if err := s.makePlan(ctx); err != nil {
		return err
	}

	if err := s.selection.check(ctx, s, f.DataDir); err != nil {
		return err
	}

	if s.selection.nothing != nil {
		return cli.Fail(cli.ExitRejected, s.selection.nothing)
	}
	return nil
}

// sampleTasks returns the tasks that have about n records together, spread over the plan,
// and how many of each are read. n is at least 1; 0 is all records.
func (s *session) sampleTasks(n int) (tasks []engine.Task, each int) {
	all := s.plan.Tasks
	if n == 0 {
		return all, 0
	}

	// With fewer tasks than records each gives several, rounded up.
	if len(all) <= n {
		return all, (n + len(all) - 1) / len(all)
	}

	// Every so many of them, so that each day and channel has its share.
	for i := range n {
		tasks = append(tasks, all[i*len(all)/n])
	}
	return tasks, 1
}

// tasksAtATime is how many tasks, for each that is read at a time, wait for the one before
// them: what they have found is in memory.
const tasksAtATime = 4

// look reads at most each (0: all) selected records of the tasks, in parallel. add gets the
// records of a task in order, with what begin returned for the task; merge gets that, in
// the order of the tasks.
func look[T any](ctx context.Context, s *session, tasks []engine.Task, each int, begin func() T, add func(T, seenRecord) error, merge func(T)) error {
	for chunk := range slices.Chunk(tasks, tasksAtATime*s.engine.Mappers) {
		found := make([]T, len(chunk))

		// The tasks of a chunk run in parallel, each with a result of its own.
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(s.engine.Mappers)

		for i, task := range chunk {
			found[i] = begin()
			group.Go(func() error {
				return s.lookAt(ctx, task, each, func(record seenRecord) error { return add(found[i], record) })
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}

		// The results are merged in the order of the tasks, whichever ended first.
		for _, one := range found {
			merge(one)
		}
	}
	return nil
}

// errEnough ends the reading of a task.
var errEnough = errors.New("enough records")

// lookAt reads at most each (0: all) selected records of a task.
func (s *session) lookAt(ctx context.Context, task engine.Task, each int, visit func(seenRecord) error) error {
	reader, err := s.tree.Open(task.Segment.Segment, task.Lo, task.Hi)
	if err != nil {
		return err
	}
	defer reader.Close()

	filter := s.job.Filter.NewIngestFilter(ctx)
	defer filter.Close()

	seen := 0
	record := func(dims schema.Dims, line []byte) error {
		id, json, ok := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte("\t"))
		if !ok {
			return fmt.Errorf("%s: %w", task, engine.ErrBadLine)
		}

		// Only records that the filter keeps are seen.
		decision, err := filter.Decide(dims, id, json)
		if err != nil || decision.Action != script.Keep {
			return err
		}

		if err := visit(seenRecord{dims, task.Segment.Path, id, json}); err != nil {
			return err
		}
		if seen++; seen == each {
			return errEnough
		}
		return nil
	}

	// NextBlock ends with io.EOF, visiting with errEnough.
	for ctx.Err() == nil {
		block, err := reader.NextBlock()
		if err == nil {
			err = eachLine(task.Segment.Segment, block, record)
		}
		if err == io.EOF || err == errEnough {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// eachLine calls record with the records of a block and their partitions.
func eachLine(segment layout.Segment, block layout.Block, record func(dims schema.Dims, line []byte) error) error {
	if block.Group == nil {
		for line := range bytes.Lines(block.Lines) {
			if err := record(segment.Dims, line); err != nil {
				return err
			}
		}
		return nil
	}

	// A row in columns becomes a line, as a segment of lines has it.
	var line []byte
	for _, row := range block.Rows {
		var err error
		line, err = block.Group.AppendLine(line[:0], int(row))
		if err == nil {
			err = record(segment.Parts[block.Part].Dims, line)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// share returns n of all as it is printed, in four digits.
func share(n, all int64) float64 { return math.Round(1e4*float64(n)/float64(all)) / 1e4 }

// table writes rows of cells in one of the formats of tmrun run.
type table struct {
	out  *cli.Output
	sink engine.Sink
	row  []byte
}

// newTable opens a table with these columns. The caller calls close.
func newTable(st *cli.State, file, formatName string, columns ...string) (*table, error) {
	if formatName == "" {
		var err error
		formatName, err = format.Of(file)
		if err != nil {
			return nil, cli.WithHint(cli.Fail(cli.ExitUsage, err), "--format chooses one whatever the ending is")
		}
	}

	out, err := cli.OpenOutput(file, st.Stdout)
	if err != nil {
		return nil, err
	}

	sink, err := format.New(formatName, out, columns, "")
	if err == nil {
		err = sink.EndPreamble()
	}
	if err != nil {
		out.Discard()
		return nil, err
	}
	return &table{out: out, sink: sink}, nil
}

// add writes a row of strings, float64s and nils.
func (t *table) add(cells ...any) error {
	t.row = datum.AppendKind(t.row[:0], datum.Array)
	for _, cell := range cells {
		switch cell := cell.(type) {
		case string:
			t.row = datum.AppendString(t.row, cell)
		case float64:
			t.row = datum.AppendNumber(t.row, cell)
		case int64:
			t.row = datum.AppendNumber(t.row, float64(cell))
		default:
			t.row = datum.AppendNull(t.row)
		}
	}
	t.row = datum.AppendKind(t.row, datum.End)
	return t.sink.Record(t.row)
}

// close completes the table, or gives it up after an error.
func (t *table) close(err error) error {
	defer t.out.Discard()
	if err == nil {
		err = t.sink.Close()
	}
	if err == nil {
		err = t.out.Commit()
	}
	return err
}
