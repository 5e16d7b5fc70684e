package engine

import (
	"errors"
	"log/slog"
	"sync/atomic"
)

// RejectError is a failure that costs no more than what was called: bad data, or
// a script that threw on it. Rejected are
//
//	of Mapper.Map      the record, with what it emitted
//	of Mapper.Finish   what it emitted
//	of Mapper.Combine  the combining: the values stay as they are
//	of Reducer.Reduce  the key, with what was written for it
//
// up to Options.MaxErrors of them; one more ends the job.
type RejectError struct{ Err error }

func (e *RejectError) Error() string { return e.Err.Error() }
func (e *RejectError) Unwrap() error { return e.Err }

// warnings is how many rejections are logged; the others are only counted.
const warnings = 10

// rejections counts what a job, or one task of it, has rejected. Safe for
// concurrent use.
type rejections struct {
	limit int64 // -1: any number
	told  func(error)
	log   *slog.Logger
	n     atomic.Int64
}

func newRejections(o *Options) *rejections {
	return &rejections{limit: o.MaxErrors, told: o.Rejected, log: o.Log}
}

// tolerates says whether anything may be rejected at all.
func (r *rejections) tolerates() bool { return r.limit != 0 }

// take returns nil for a *RejectError that is tolerated, else err.
func (r *rejections) take(what string, err error) error {
	if _, ok := errors.AsType[*RejectError](err); !ok {
		return err
	}
	n := r.n.Add(1)
	if r.limit >= 0 && n > r.limit {
		return err
	}
	if r.told != nil {
		r.told(err)
	}
	if n <= warnings {
		r.log.Warn(what+" rejected", "err", err)
	}
	return nil
}

// errTooMany ends a job whose tasks, in other processes, have together rejected
// more than is tolerated.
var errTooMany = errors.New("more was rejected than --max-errors tolerates")

// add counts what another process has rejected.
func (r *rejections) add(n int64) error {
	if total := r.n.Add(n); n > 0 && r.limit >= 0 && total > r.limit {
		return errTooMany
	}
	return nil
}
