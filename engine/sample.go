package engine

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// Share says which part of the records a job maps. Both conditions hold for each record.
type Share struct {
	Records float64 // from 0 to 1, by document ID
	Clients int     // from 0 to 100, in percent, by client ID; records without a client ID only in 100
}

// Whole is the Share of all records.
func Whole() Share { return Share{Records: 1, Clients: 100} }

// Sampled is a Job that maps a share of the records: those whose document ID's
// hash (XXH64) is small enough, and whose client is in the sample. So every run, on
// any machine, takes the same records, those of a smaller share are among those of a
// larger one, and all submissions of one document are in or out. It is safe for
// concurrent use.
type Sampled struct {
	Job
	limit   uint64
	clients int
	mapped  atomic.Int64
}

// Sample returns job on a share of the records.
func Sample(job Job, share Share) *Sampled {
	sampled := &Sampled{Job: job, limit: math.MaxUint64, clients: share.Clients}
	if share.Records < 1 {
		sampled.limit = uint64(max(share.Records, 0) * (1 << 63) * 2)
	}
	return sampled
}

// Mapped returns how many records were in the sample so far.
func (s *Sampled) Mapped() int64 { return s.mapped.Load() }

// AddMapped counts records that were mapped elsewhere.
func (s *Sampled) AddMapped(n int64) { s.mapped.Add(n) }

// NewMapper implements Job.
func (s *Sampled) NewMapper(ctx context.Context, t Task, emit Emit) (Mapper, error) {
	mapper, err := s.Job.NewMapper(ctx, t, emit)
	if err != nil {
		return nil, err
	}
	return &sampledMapper{Mapper: mapper, s: s}, nil
}

type sampledMapper struct {
	Mapper
	s *Sampled
	n int64
}

// Map implements Mapper. A line without an ID is for the mapper to reject.
func (m *sampledMapper) Map(record *Record, n int64) error {
	id, ok, err := record.ID()
	if err != nil {
		return err
	}

	// The hash of the ID decides, so every job reads the same sample.
	if ok && xxhash.Sum64(id) > m.s.limit {
		return nil
	}

	// The record is read only if its client matters.
	if ok && m.s.clients < 100 {
		sample, known, err := clientSample(record)
		if err != nil {
			return err
		}
		if !known || sample >= m.s.clients {
			return nil
		}
	}

	m.n++
	return m.Mapper.Map(record, n)
}

// Close implements Mapper.
func (m *sampledMapper) Close() {
	m.s.mapped.Add(m.n)
	m.Mapper.Close()
}
