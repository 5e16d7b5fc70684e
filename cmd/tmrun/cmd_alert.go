package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// alertCmd calls the function alert of a script, for a server that has run it.
type alertCmd struct {
	taskFlags
	Rows     string `placeholder:"FILE" help:"The result of the run, in JSON lines."`
	Previous string `placeholder:"FILE" help:"The result of the run before."`
}

// Help is the long help.
func (c *alertCmd) Help() string {
	return `Prints what the function alert of a script says of rows, as JSON.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 the script failed; 6 a limit was hit.`
}

// Run implements the command.
func (c *alertCmd) Run(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()

	var answer api.Alerted
	message, err := c.call(ctx, s)
	answer.Message = message
	if err != nil {
		err = explainError(st, err, "")
		answer.Error = err.Error()
	}

	// The reader needs an answer after an error, too.
	if err := json.NewEncoder(st.Stdout).Encode(answer); err != nil {
		return err
	}
	return err
}

// call calls the function.
func (c *alertCmd) call(ctx context.Context, s *session) (message string, err error) {
	if err := c.begin(s, ""); err != nil {
		return "", err
	}

	rows, ok, err := readRows(c.Rows)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", cli.Fail(cli.ExitLimit, fmt.Errorf("alert gets at most %d rows of %d bytes, and the result has more", api.MaxAlertRows, api.MaxAlertBytes))
	}

	// A result before that is too large, of another version of the script, is none.
	previous := []byte("null")
	if c.Previous != "" {
		found, ok, err := readRows(c.Previous)
		if err != nil {
			return "", err
		}
		if ok {
			previous = found
		}
	}
	return s.job.Script.WithEmptyResults().Alert(ctx, s.job.Limits, s.job.Console, rows, previous)
}

// readRows returns the rows of a file of JSON lines as a JSON array; ok is false if they are
// more than alert gets.
func readRows(path string) (array []byte, ok bool, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()

	text, err := io.ReadAll(io.LimitReader(file, api.MaxAlertBytes+1))
	if err != nil {
		return nil, false, err
	}
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) >= api.MaxAlertBytes || bytes.Count(text, []byte("\n")) >= api.MaxAlertRows {
		return nil, false, nil
	}
	return fmt.Appendf(nil, "[%s]", bytes.ReplaceAll(text, []byte("\n"), []byte(","))), true, nil
}
