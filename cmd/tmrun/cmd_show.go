package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// showCmd prints records so that people can read them.
type showCmd struct {
	lookFlags `embed:""`
	Records   int    `short:"n" default:"3" placeholder:"N" help:"How many records to show, spread over all segments."`
	All       bool   `help:"Show all records."`
	Format    string `enum:"text,jsonl" default:"text" placeholder:"text|jsonl" help:"text: indented, lists on one line; jsonl: a line for each record with its dimensions."`
}

// Help is the long help.
func (c *showCmd) Help() string {
	return `Prints records: where each lies, its document ID, and its ping, indented. They are
always the same ones, from all parts of what is selected.

EXIT STATUS: 0 done; 1 failed; 2 usage; 3 no records are selected; 4 a segment is
damaged; 5 the filter failed; 6 a limit was hit; 130 interrupted.`
}

// Run implements the command.
func (c *showCmd) Run(ctx context.Context, st *cli.State) error {
	sample := sampleFlags{c.Records, c.All}
	if err := sample.validate(); err != nil {
		return err
	}

	s, err := c.open(ctx, st)
	if err != nil {
		return err
	}
	defer s.close()

	out, err := cli.OpenOutput(c.Output, st.Stdout)
	if err != nil {
		return err
	}
	defer out.Discard()

	// One task after the other, because their records are printed in this order.
	shown := 0
	print := func(record seenRecord) error {
		shown++
		_, err := out.Write(c.text(record))
		return err
	}

	tasks, each := s.sampleTasks(sample.most())
	for _, task := range tasks {
		if err := s.lookAt(ctx, task, c.left(shown, each), print); err != nil {
			return explainError(st, err, c.DataDir)
		}
		if c.isEnough(shown) {
			break
		}
	}

	// A filter may drop records of the tasks so far, so the others are read until it is enough.
	for _, task := range s.plan.Tasks {
		if c.isEnough(shown) || len(tasks) == len(s.plan.Tasks) {
			break
		}
		if slices.ContainsFunc(tasks, func(read engine.Task) bool { return read.Index == task.Index }) {
			continue
		}
		if err := s.lookAt(ctx, task, c.left(shown, 0), print); err != nil {
			return explainError(st, err, c.DataDir)
		}
	}
	return out.Commit()
}

// isEnough reports whether so many records are all that are shown.
func (c *showCmd) isEnough(shown int) bool { return !c.All && shown >= c.Records }

// left returns how many records of a task are shown, at most most (0: any number); 0 is all.
func (c *showCmd) left(shown, most int) int {
	switch left := c.Records - shown; {
	case c.All:
		return 0
	case most == 0 || left < most:
		return left
	}
	return most
}

// text returns a record as it is printed.
func (c *showCmd) text(record seenRecord) []byte {
	if c.Format == "jsonl" {
		return c.line(record)
	}

	head := fmt.Sprintf("%s  %s\n%s\n", cli.Printable(string(record.id)), record.dims, record.segment)
	return append(append([]byte(head), appendIndented(nil, record.json, 0, 0)...), '\n', '\n')
}

// line returns a record as a line of JSON, in which the ping is as it is stored.
func (c *showCmd) line(record seenRecord) []byte {
	dims := map[string]string{}
	for dim, value := range record.dims {
		dims[schema.DimNames[dim]] = value
	}

	// The ping is added as its text, because encoding it again could change it.
	head, _ := json.Marshal(struct { // strings only: it cannot fail
		ID      string            `json:"id"`
		Dims    map[string]string `json:"dims"`
		Segment string            `json:"segment"`
	}{string(record.id), dims, record.segment})
	head = append(head[:len(head)-1], `,"ping":`...)
	return append(append(head, record.json...), "}\n"...)
}

// appendIndented appends the JSON value at text[at] with one member a line, and lists on
// one line. Control characters cannot be in it: JSON escapes them.
func appendIndented(dst, text []byte, at, depth int) []byte {
	at = jsonscan.Space(text, at)
	if at >= len(text) || text[at] != '{' {
		end, err := jsonscan.Skip(text, at)
		if err != nil {
			end = len(text)
		}
		return appendPrintable(dst, text[at:end])
	}

	dst = append(dst, '{')
	members := jsonscan.Members(text, at)
	count := 0
	for members.Next() {
		if count++; count > 1 {
			dst = append(dst, ',')
		}

		dst = append(dst, '\n')
		dst = append(dst, bytes.Repeat([]byte("  "), depth+1)...)
		dst = appendPrintable(append(dst, '"'), members.Key)
		dst = append(dst, `": `...)
		dst = appendIndented(dst, text, members.Start, depth+1)
	}

	// An empty object stays on one line.
	if count > 0 {
		dst = append(dst, '\n')
		dst = append(dst, bytes.Repeat([]byte("  "), depth)...)
	}
	return append(dst, '}')
}

// appendPrintable appends JSON as a terminal may see it.
func appendPrintable(dst, text []byte) []byte { return append(dst, cli.Printable(string(text))...) }
