package engine

import (
	"errors"
	"log/slog"
	"sync/atomic"
)

// RejectError is a failure that costs no more than the call that failed: bad data, or
// a script that threw on it. It rejects
//
//	of Mapper.Map      the record, with what it emitted
//	of Mapper.Finish   what it emitted
//	of Mapper.Combine  the combining: the values stay as they are
//	of Reducer.Reduce  the key, with what was written for it
//
// Options.MaxErrors of them are tolerated; one more ends the job.
type RejectError struct{ Err error }

func (e *RejectError) Error() string { return e.Err.Error() }
func (e *RejectError) Unwrap() error { return e.Err }

// ErrTooManyRejected ends a job whose tasks, in other processes, have together rejected
// more than Options.MaxErrors.
var ErrTooManyRejected = errors.New("more was rejected than is tolerated")

// maxWarnings is how many rejections are logged; the others are only counted.
const maxWarnings = 10

// rejections counts what a job, or one task of it, has rejected. Safe for
// concurrent use.
type rejections struct {
	limit  int64 // -1: any number
	notify func(error)
	log    *slog.Logger
	n      atomic.Int64
}

func newRejections(o *Options) *rejections {
	return &rejections{limit: o.MaxErrors, notify: o.Rejected, log: o.Log}
}

// tolerates says whether anything may be rejected at all.
func (r *rejections) tolerates() bool { return r.limit != 0 }

// tolerate returns nil for a *RejectError within the limit, else err.
func (r *rejections) tolerate(what string, err error) error {
	if _, ok := errors.AsType[*RejectError](err); !ok {
		return err
	}

	total := r.n.Add(1)
	if r.limit >= 0 && total > r.limit {
		return err
	}

	if r.notify != nil {
		r.notify(err)
	}

	// A few warnings show what is wrong; the total says how often.
	if total <= maxWarnings {
		r.log.Warn(what+" rejected", "err", err)
	}
	return nil
}

// add counts what another process has rejected.
func (r *rejections) add(n int64) error {
	total := r.n.Add(n)
	if n > 0 && r.limit >= 0 && total > r.limit {
		return ErrTooManyRejected
	}
	return nil
}
