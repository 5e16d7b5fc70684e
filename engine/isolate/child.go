package isolate

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
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

// endTime is how long a child that should end may take, with what it prints.
const endTime = time.Second

func startChild(cmd *exec.Cmd, stderr io.Writer) (*child, error) {
	c := &child{cmd: cmd, stderr: &tail{w: stderr}}
	cmd.Stderr, cmd.WaitDelay = c.stderr, endTime
	report, reportEnd, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer reportEnd.Close()
	cmd.ExtraFiles = []*os.File{reportEnd}
	stdout := io.ReadCloser(nil)
	if c.pipe, err = cmd.StdinPipe(); err == nil {
		stdout, err = cmd.StdoutPipe()
	}
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		report.Close()
		return nil, err
	}
	c.in = &chunkWriter{w: c.pipe}
	c.out = bufio.NewReaderSize(stdout, 2*chunkBytes)
	status := make(chan Status, 1)
	c.status = status
	go func() {
		defer close(status)
		defer report.Close()
		for dec := json.NewDecoder(report); ; {
			var s Status
			if dec.Decode(&s) != nil {
				return
			}
			status <- s
		}
	}()
	return c, nil
}

// end lets the child end, which has nothing to do any more, and returns how it did.
func (c *child) end() error {
	c.pipe.Close()
	for range c.status { // until it has ended
	}
	return c.cmd.Wait()
}

// kill ends the child.
func (c *child) kill() { c.cmd.Process.Kill() }

// died says why a child that has not said anything has ended with err.
func (c *child) died(err error) error {
	text := c.stderr.String()
	if strings.Contains(text, "out of memory") || strings.Contains(text, "cannot allocate memory") {
		return ErrMemory
	}
	if state := c.cmd.ProcessState; state != nil && !state.Exited() {
		return fmt.Errorf("%w (%s)", ErrKilled, state)
	}
	return fmt.Errorf("task process: %w\n%s", err, text)
}

// session is a task in a child.
type session struct {
	job    *Job
	c      *child
	cause  func() error // why the task had to end, nil if it had not
	cancel func()
	read   chan error // what reading the result ended with
	over   bool
}

// begin gives a task to a child, whose result read takes.
func (j *Job) begin(ctx context.Context, t Task, read func(io.Reader) error) (*session, error) {
	s := &session{job: j, read: make(chan error, 1)}
	header, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	for {
		fresh := false
		if s.c, fresh, err = j.take(); err != nil {
			return nil, fmt.Errorf("start %s task: %w", t.Kind, err)
		}
		s.c.in.Write(header)
		if err = s.c.in.flush(); err == nil {
			break
		}
		if err := s.c.end(); fresh { // else it has died while it waited
			return nil, s.c.died(err)
		}
	}
	timeout := func() {}
	if j.TaskTime > 0 {
		ctx, timeout = context.WithTimeoutCause(ctx, j.TaskTime, fmt.Errorf("%w after %s", ErrKilled, j.TaskTime))
	}
	unhook := context.AfterFunc(ctx, s.c.kill)
	s.cause, s.cancel = func() error { return context.Cause(ctx) }, func() { unhook(); timeout() }
	go func() {
		r := &chunkReader{r: s.c.out}
		err := read(r)
		if err == nil {
			_, err = io.Copy(io.Discard, r) // to the end
		}
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			s.c.kill() // it would wait for a reader
		}
		s.read <- err
	}()
	return s, nil
}

// finish ends the input, waits for the result and returns how the task ended.
func (s *session) finish() (Status, error) {
	if s.over {
		return Status{}, nil
	}
	s.over = true
	s.c.in.end() // a child that died early says why below
	readErr := <-s.read
	status, told := <-s.c.status
	cause := s.cause()
	s.cancel()
	if told && len(status.Report) > 0 && s.job.Report != nil {
		s.job.Report(status.Report)
	}
	if told && len(status.Error) == 0 && readErr == nil && cause == nil {
		s.job.put(s.c)
		return status, nil
	}
	err := s.c.end()
	switch {
	case told && len(status.Error) > 0:
		return status, s.job.Decode(status.Error)
	case cause != nil:
		return status, cause
	case readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF):
		return status, readErr
	}
	return status, s.c.died(err)
}

// stopped says why a child takes no more input.
func (s *session) stopped() error {
	if _, err := s.finish(); err != nil {
		return err
	}
	return fmt.Errorf("%w: it has stopped reading", ErrKilled)
}

// close ends a task that was not finished, and its child.
func (s *session) close() {
	if !s.over {
		s.over = true
		s.cancel()
		s.c.kill()
		<-s.read
		s.c.end()
	}
}

// tail passes on the lines that a child prints, until it dies: then it keeps what
// Go says about that.
type tail struct {
	w     io.Writer
	line  []byte // not whole yet
	crash bytes.Buffer
}

// crashBytes is how much of a crash is kept; its first lines say why.
const crashBytes = 4 << 10

func (t *tail) Write(p []byte) (int, error) {
	if t.crash.Len() == 0 {
		t.line = append(t.line, p...)
		for {
			i := bytes.IndexByte(t.line, '\n')
			if i < 0 {
				return len(p), nil
			}
			if bytes.HasPrefix(t.line, []byte("fatal error: ")) || bytes.HasPrefix(t.line, []byte("runtime: ")) || bytes.HasPrefix(t.line, []byte("panic: ")) {
				t.crash.Write(t.line)
				return len(p), nil
			}
			if t.w != nil {
				t.w.Write(t.line[:i+1])
			}
			t.line = t.line[i+1:]
		}
	}
	if left := crashBytes - t.crash.Len(); left > 0 {
		t.crash.Write(p[:min(len(p), left)])
	}
	return len(p), nil
}

func (t *tail) String() string { return t.crash.String() + string(t.line) }
