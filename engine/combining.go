package engine

import (
	"bytes"
	"context"

	"github.com/aitgithub/telemetry-server/engine/shuffle"
)

// Combining returns job with a combine that is applied times times: 0 is never,
// 1 is as the engine does it, and more is to the halves of the values, then to
// the results, and so on. If that changes the output, the job's combine is wrong.
func Combining(job Job, times int) Job {
	if times == 1 {
		return job
	}
	return combining{job, times}
}

type combining struct {
	Job
	times int
}

func (c combining) NewMapper(ctx context.Context, t Task, emit Emit) (Mapper, error) {
	mapper, err := c.Job.NewMapper(ctx, t, emit)
	if err != nil {
		return nil, err
	}
	return combiningMapper{mapper, c.times}, nil
}

type combiningMapper struct {
	Mapper
	times int
}

func (m combiningMapper) Combines() bool { return m.times > 0 && m.Mapper.Combines() }

func (m combiningMapper) Combine(key []byte, values *Values, write func([]byte)) error {
	// All values must be in memory, to be halved.
	var all [][]byte
	for {
		value, err := values.Next()
		if err != nil {
			return err
		}
		if value == nil {
			break
		}
		all = append(all, value)
	}

	// The first time, to each half.
	low, err := m.once(key, all[:len(all)/2])
	if err != nil {
		return err
	}
	high, err := m.once(key, all[len(all)/2:])
	if err != nil {
		return err
	}
	all = append(low, high...)

	// Then to the results, again and again.
	for range m.times - 1 {
		if all, err = m.once(key, all); err != nil {
			return err
		}
	}

	for _, value := range all {
		write(value)
	}
	return nil
}

// once combines values, if there are two or more.
func (m combiningMapper) once(key []byte, values [][]byte) (out [][]byte, err error) {
	if len(values) < 2 {
		return values, nil
	}

	var list shuffle.List
	for _, v := range values {
		list.Append(v)
	}

	// What combine writes is valid during its call only.
	err = m.Mapper.Combine(key, list.Values(), func(v []byte) {
		out = append(out, bytes.Clone(v))
	})

	return out, err
}
