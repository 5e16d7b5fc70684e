package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/columns"
	"github.com/aitgithub/telemetry-server/layout/segment"
)

// catCmd prints segments as lines.
type catCmd struct {
	Segments []string `arg:"" name:"segment" help:"Files of segments, in either form, or of the predecessor."`
}

func (*catCmd) Help() string {
	return `Prints the records of segments as lines "<id> TAB <json>", byte for byte as they
were stored, in the order of the files. Segments may have either form, rows (.zst)
or columns (.parquet), and the predecessor's containers (.gz, .xz, .lzma, none). Records
of forgotten clients that the file still has are printed too; tmrun skips them.

  tmserver cat DATA/published/*.parquet | wc -l

EXIT STATUS: 0 done; 1 failed; 2 usage; 4 a segment is damaged; 130 interrupted.`
}

// lineReader reads a segment of either form.
type lineReader interface {
	Next() ([]byte, error)
}

func (c *catCmd) Run(ctx context.Context, st *cli.State) error {
	for _, name := range c.Segments {
		err := catSegment(ctx, st.Stdout, name)
		if layout.IsDamage(err) {
			return cli.Fail(cli.ExitCorrupt, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// catSegment prints one segment.
func catSegment(ctx context.Context, w io.Writer, name string) error {
	file, err := os.Open(name)
	if errors.Is(err, os.ErrNotExist) {
		return cli.Fail(cli.ExitUsage, err)
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}

	lines, err := openLines(file, info.Size(), name)
	if err != nil {
		return layout.InFile(name, err)
	}
	for ctx.Err() == nil {
		text, err := lines.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return layout.InFile(name, err)
		}

		// The last line of an old file may lack its end, and the next file follows.
		if !bytes.HasSuffix(text, []byte("\n")) {
			text = append(bytes.Clone(text), '\n')
		}
		if _, err := w.Write(text); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// openLines opens a segment by the form that its name says.
func openLines(file io.ReaderAt, size int64, name string) (lineReader, error) {
	extension := strings.TrimPrefix(path.Ext(name), ".")
	if extension == columns.Extension {
		f, err := columns.Open(file, size)
		if err != nil {
			return nil, err
		}
		return f.Lines(), nil
	}

	// A name that ends otherwise is a plain file of lines.
	if !slices.Contains(segment.Extensions[:], extension) {
		extension = ""
	}
	return segment.OpenText(file, size, extension)
}
