package isolate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// child is one process. It belongs to one task at a time.
type child struct {
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	in     *chunkWriter
	out    *bufio.Reader
	status <-chan Status // closed when it has ended
	stderr *tail
}

// endTime is how long a child that should end may take to do so.
const endTime = time.Second

// startChild starts cmd; what the child prints goes to stderr.
func startChild(cmd *exec.Cmd, stderr io.Writer) (*child, error) {
	started := &child{cmd: cmd, stderr: &tail{w: stderr}}
	cmd.Stderr = started.stderr
	cmd.WaitDelay = endTime

	// The child's file descriptor 3. Only the child has the writing end open, so that
	// reading ends with the child.
	report, reportEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reportEnd.Close()
	cmd.ExtraFiles = []*os.File{reportEnd}

	// Of the pipes of a process that does not start, only the report is left to close.
	var stdout io.Reader
	started.pipe, err = cmd.StdinPipe()
	if err == nil {
		stdout, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		report.Close()
		return nil, err
	}

	started.in = &chunkWriter{w: started.pipe}
	started.out = bufio.NewReaderSize(stdout, 2*chunkBytes)
	started.status = readStatus(report)
	return started, nil
}

// readStatus returns the statuses that report holds. The channel is closed, and report
// too, when the child has ended.
func readStatus(report io.ReadCloser) <-chan Status {
	statuses := make(chan Status, 1)
	go func() {
		defer close(statuses)
		defer report.Close()

		// A child that crashes while it writes ends the last document early.
		dec := json.NewDecoder(report)
		for {
			var status Status
			if dec.Decode(&status) != nil {
				return
			}
			statuses <- status
		}
	}()
	return statuses
}

// readResult lets decode read the task's result, and kills a child whose result it
// does not accept: the child would wait for a reader.
func (c *child) readResult(decode func(io.Reader) error) error {
	result := &chunkReader{r: c.out}
	err := decode(result)

	// The end of the chunks must be read, too, before the next task.
	if err == nil {
		_, err = io.Copy(io.Discard, result)
	}

	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		c.kill()
	}
	return err
}

// end lets the child end, which has nothing to do any more, and returns how it ended.
func (c *child) end() error {
	c.pipe.Close()
	for range c.status { // until it has ended
	}
	return c.cmd.Wait()
}

// kill ends the child.
func (c *child) kill() { c.cmd.Process.Kill() }

// died says why a child that has reported nothing has ended with err.
func (c *child) died(err error) error {
	// Go's runtime has printed that memory is short; the system kills without a word.
	if c.stderr.outOfMemory() {
		return ErrMemory
	}
	if state := c.cmd.ProcessState; state != nil && !state.Exited() {
		return fmt.Errorf("%w (%s)", ErrKilled, state)
	}

	return fmt.Errorf("task process: %w\n%s", err, c.stderr)
}
