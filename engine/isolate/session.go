package isolate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// session is a task in a child. Not safe for concurrent use.
type session struct {
	job    *Job
	child  *child
	cause  func() error // why the task had to end, nil if it need not
	cancel func()
	read   chan error // the error that reading the result ended with
	ended  bool
}

// begin sends a task to a child. decode reads its result.
func (j *Job) begin(ctx context.Context, task Task, decode func(io.Reader) error) (*session, error) {
	worker, err := j.send(task)
	if err != nil {
		return nil, err
	}
	begun := &session{job: j, child: worker, read: make(chan error, 1)}

	// A child cannot be interrupted, only killed.
	stopTimer := func() {}
	if j.TaskTime > 0 {
		ctx, stopTimer = context.WithTimeoutCause(ctx, j.TaskTime, fmt.Errorf("%w after %s", ErrKilled, j.TaskTime))
	}
	unhook := context.AfterFunc(ctx, worker.kill)
	begun.cause = func() error { return context.Cause(ctx) }
	begun.cancel = func() {
		unhook()
		stopTimer()
	}

	// Read the result while the input is written: neither pipe holds all of it.
	go func() { begun.read <- worker.readResult(decode) }()
	return begun, nil
}

// send sends the header of a task to an idle child, or to a fresh one.
func (j *Job) send(task Task) (*child, error) {
	header, err := json.Marshal(task)
	if err != nil {
		return nil, err
	}

	// A write shows whether the child is alive.
	for {
		worker, fresh, err := j.child()
		if err != nil {
			return nil, fmt.Errorf("start %s task: %w", task.Kind, err)
		}

		worker.in.Write(header)
		err = worker.in.flush()
		if err == nil {
			return worker, nil
		}

		// An idle child may have died while it waited: try the next.
		exit := worker.end()
		if fresh {
			return nil, worker.died(exit)
		}
	}
}

// finish ends the input, waits for the result and returns how the task ended.
func (s *session) finish() (Status, error) {
	if s.ended {
		return Status{}, nil
	}
	s.ended = true

	s.child.in.end() // a child that died early says why below
	readErr := <-s.read
	status, reported := <-s.child.status
	cause := s.cause()
	s.cancel()

	if reported && len(status.Report) > 0 && s.job.Report != nil {
		s.job.Report(status.Report)
	}

	// Only a child whose task ended well is used again.
	failed := reported && len(status.Error) > 0
	if reported && !failed && readErr == nil && cause == nil {
		s.job.release(s.child)
		return status, nil
	}

	// The error of the script says most, then why the task had to end.
	exit := s.child.end()
	switch {
	case failed:
		return status, s.job.Decode(status.Error)
	case cause != nil:
		return status, cause
	case readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF):
		return status, readErr
	}
	return status, s.child.died(exit)
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
	if s.ended {
		return
	}
	s.ended = true
	s.cancel()

	// The pipe ends with the child, and with it the goroutine that reads the result.
	s.child.kill()
	<-s.read
	s.child.end()
}
