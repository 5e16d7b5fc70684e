package main

import (
	"context"
	"encoding/hex"
	"encoding/json"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// describeCmd prints what a script says of itself, for a server that runs scripts.
type describeCmd struct {
	taskFlags
}

// Help is the long help.
func (c *describeCmd) Help() string {
	return `Prints what a script exports for tmserver serve --scripts, as JSON.

EXIT STATUS: 0 done; 1 failed; 2 usage; 5 the script failed; 6 a limit was hit.`
}

// Run implements the command.
func (c *describeCmd) Run(ctx context.Context, st *cli.State) error {
	s := newSession(st)
	defer s.close()

	described, err := c.describe(ctx, s)
	if err != nil {
		err = explainError(st, err, "")
		described = api.Described{Error: err.Error()}
	}

	// The reader needs an answer after an error, too.
	if err := json.NewEncoder(st.Stdout).Encode(described); err != nil {
		return err
	}
	return err
}

func (c *describeCmd) describe(ctx context.Context, s *session) (described api.Described, err error) {
	if err := c.begin(s, ""); err != nil {
		return described, err
	}

	// The rows of jobs that the script imports are not there yet.
	script := s.job.Script.WithEmptyResults()
	exports, err := script.Exports(ctx, s.job.Limits)
	if err != nil {
		return described, err
	}
	if !exports.Function("map") {
		return described, script.NoMap(exports.Names)
	}

	described.Exports, err = script.Schedulable(ctx, s.job.Limits)
	if err != nil {
		return described, err
	}

	described.Columns, err = script.Columns(ctx, s.job.Limits)
	if err != nil {
		return described, err
	}

	described.Tables = exports.Tables
	described.Imports, err = importsOf(script)
	if err != nil {
		return described, err
	}

	sum := script.Hash()
	described.Sum = hex.EncodeToString(sum[:])
	return described, nil
}
