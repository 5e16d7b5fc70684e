package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/layout"
)

// invalidShowCmd prints a quarantined submission.
type invalidShowCmd struct {
	quarantineFlags `embed:""`
	Body            bool   `help:"Print the body alone, byte for byte as it was received."`
	ID              string `arg:"" name:"id" help:"Document ID, as \"tmserver invalid ls\" prints it."`
}

func (*invalidShowCmd) Help() string {
	return `Prints class, message, time, origin and path, an empty line, and the body. A body
of gzip is unpacked if that is possible. Characters that a terminal would obey are
written as \x1b and so on; --body prints all bytes as they are. If several submissions have the ID, the
first one is printed.

EXIT STATUS: 0 done; 1 failed, or no such submission; 2 usage; 4 a file of the
quarantine is damaged; 130 interrupted.`
}

func (c *invalidShowCmd) Run(ctx context.Context, st *cli.State) error {
	if err := c.checkClass(); err != nil {
		return err
	}

	found := false
	err := c.each(ctx, func(submission layout.Rejected) (bool, error) {
		// Users copy the ID from a terminal, so its printable form counts, too.
		if submission.ID() != c.ID && cli.Printable(submission.ID()) != c.ID {
			return true, nil
		}

		found = true
		return false, c.print(st.Stdout, submission)
	})
	if err != nil {
		return err
	}

	if !found {
		return fmt.Errorf("no quarantined submission with the ID %q", c.ID)
	}
	return nil
}

func (c *invalidShowCmd) print(w io.Writer, submission layout.Rejected) error {
	if c.Body {
		// A terminal would obey what a client has written.
		if file, ok := w.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
			return cli.Usage("--body prints bytes as a client sent them: redirect it to a file or a pipe")
		}
		_, err := w.Write(submission.Body)
		return err
	}

	_, err := fmt.Fprintf(w, "class:   %s\nmessage: %s\ntime:    %s\norigin:  %s:%d\npath:    %s\n\n",
		cli.Printable(submission.Class), cli.Printable(submission.Message), submission.Time.UTC().Format(time.RFC3339Nano), cli.Printable(submission.Origin), submission.Offset, cli.Printable(submission.Path))
	if err != nil {
		return err
	}

	// A shell's prompt begins on its own line.
	body := cli.PrintableText(string(unpacked(submission.Body)))
	if !strings.HasSuffix(body, "\n") {
		body += "\n"
	}
	_, err = io.WriteString(w, body)
	return err
}

// unpacked returns a body as text, or as it is if it cannot be unpacked.
func unpacked(body []byte) []byte {
	text, err := convert.Unpack(body, convert.DefaultOptions().MaxUnpacked)
	if err != nil {
		return body
	}
	return text
}
