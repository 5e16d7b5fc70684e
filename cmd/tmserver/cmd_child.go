package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/worker"
)

// childCmd is the process that converts a part of a raw log that has ended another
// process. It reads a childRequest from stdin, and prints a childResult when it is done.
type childCmd struct{}

// Run implements the command. Errors go to the parent, which reports them.
func (c *childCmd) Run(ctx context.Context, st *cli.State) error {
	// A signal to all processes of a service, or of a terminal, is for the parent, which
	// waits for this one. When the parent wants an end, or has ended, it closes stdin.
	signal.Ignore(syscall.SIGTERM, os.Interrupt)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	var request childRequest
	if err := json.NewDecoder(st.Stdin).Decode(&request); err != nil {
		return err
	}
	go func() {
		io.Copy(io.Discard, st.Stdin)
		cancel()
	}()

	// When memory is short, the kernel ends this process first. Elsewhere than on Linux,
	// or where the file cannot be written, it chooses for itself.
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0)

	return json.NewEncoder(st.Stdout).Encode(request.convert(ctx, st))
}

// convert converts the raw log.
func (r *childRequest) convert(ctx context.Context, st *cli.State) (result childResult) {
	folder, err := r.Flags.openDataFolder(ctx, st, r.DataDir)
	if err == nil {
		result.Stats, err = worker.New(folder.Data, folder.workerOptions()).ConvertLog(ctx, r.Log)
		err = errors.Join(err, folder.Close())
	}

	result.setError(r.Log, err)
	return result
}
