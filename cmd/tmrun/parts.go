package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine"
	"github.com/aitgithub/telemetry-server/engine/format"
)

// maxParts is how many parts have names that sort in their order.
const maxParts = 100_000

// partName is the form of names of parts.
var partName = regexp.MustCompile(`^.+-[0-9]{5}\.[a-z]+$`)

// checkPart fails if name, in the folder of the output, is a part: one that this job does
// not replace would look like one of its result.
func (c *runCmd) checkPart(folder, name string) error {
	if c.PartSize > 0 && partName.MatchString(name) {
		return cli.Usage("--output %s has a part of another result already: %s", folder, name)
	}
	return nil
}

// checkParts is checkPart for a folder of this machine.
func (c *runCmd) checkParts() error {
	entries, err := os.ReadDir(c.Output)
	for _, entry := range entries {
		err = errors.Join(err, c.checkPart(c.Output, entry.Name()))
	}
	return err
}

// parts is a Sink that writes rows into files of about the same size, base-00000.tsv and so
// on. They depend on the rows alone, not on how many tasks or machines have made them. The
// files of text are, one behind the other, the single file: the first has the line of names.
type parts struct {
	engine.Sink // of the current part
	opened      *result
	base        string // path of the files, without number and ending
	format      string
	columns     []string
	workDir     string

	most  int64 // bytes of rows after which a part ends
	bytes int64 // of the current one
	count int
	file  int  // of the current one, among the files of the result
	begun bool // the preamble has ended

	field, record string // the separators, if they were set
}

// newParts opens the first part.
func newParts(opened *result, base, formatName string, columns []string, workDir string, most int64) (*parts, error) {
	p := &parts{opened: opened, base: base, format: formatName, columns: columns, workDir: workDir, most: most}
	return p, p.open()
}

// open begins the next part.
func (p *parts) open() error {
	if p.count == maxParts {
		return cli.WithHint(fmt.Errorf("the output has more than %d parts", maxParts), "--part-size makes them larger")
	}
	file, err := cli.OpenOutput(fmt.Sprintf("%s-%05d.%s", p.base, p.count, p.format), nil)
	if err != nil {
		return err
	}
	p.file = len(p.opened.files)
	p.opened.files = append(p.opened.files, file)

	open := format.New
	if p.count > 0 {
		open = format.Continue
	}
	p.Sink, err = open(p.format, file, p.columns, p.workDir)
	p.bytes = 0
	p.count++
	return err
}

// before begins the next part if the current one is full, for a row of so many bytes. What
// comes before the first key stays together.
func (p *parts) before(size int) error {
	if p.begun && p.bytes >= p.most {
		if err := p.Sink.Close(); err != nil {
			return err
		}

		// Files that stayed open would be too many.
		if err := p.opened.files[p.file].Finish(); err != nil {
			return err
		}
		if err := p.open(); err != nil {
			return err
		}

		// The new sink has to know what the others were told.
		if p.field != "" || p.record != "" {
			if err := p.Sink.Separators(p.field, p.record); err != nil {
				return err
			}
		}
		if err := p.Sink.EndPreamble(); err != nil {
			return err
		}
	}
	p.bytes += int64(size)
	return nil
}

// Row implements engine.Sink.
func (p *parts) Row(key, value []byte) error {
	if err := p.before(len(key) + len(value)); err != nil {
		return err
	}
	return p.Sink.Row(key, value)
}

// Line implements engine.Sink.
func (p *parts) Line(text []byte) error {
	if err := p.before(len(text)); err != nil {
		return err
	}
	return p.Sink.Line(text)
}

// Record implements engine.Sink.
func (p *parts) Record(columns []byte) error {
	if err := p.before(len(columns)); err != nil {
		return err
	}
	return p.Sink.Record(columns)
}

// CSVRecord implements engine.Sink.
func (p *parts) CSVRecord(columns []byte) error {
	if err := p.before(len(columns)); err != nil {
		return err
	}
	return p.Sink.CSVRecord(columns)
}

// EndPreamble implements engine.Sink.
func (p *parts) EndPreamble() error {
	p.begun = true
	return p.Sink.EndPreamble()
}

// Separators implements engine.Sink.
func (p *parts) Separators(field, record string) error {
	p.field, p.record = field, record
	return p.Sink.Separators(field, record)
}
