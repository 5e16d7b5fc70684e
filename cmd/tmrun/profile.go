package main

import (
	"bytes"
	"io"
	"sync"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/engine/script"
)

// profiles collects what the processes of a job sampled. It is safe for concurrent use;
// its zero value is empty.
type profiles struct {
	mu    sync.Mutex
	texts [][]byte
}

// maxProfiles is how many are kept before they are added up.
const maxProfiles = 64

// add adds a profile, if text is not empty.
func (p *profiles) add(text []byte) error {
	if len(text) == 0 {
		return nil
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	p.texts = append(p.texts, text)
	if len(p.texts) < maxProfiles {
		return nil
	}

	var sum bytes.Buffer
	err := p.write(&sum)
	p.texts = append(p.texts[:0], sum.Bytes())
	return err
}

// write writes the sum. The caller holds the lock, or is the last one.
func (p *profiles) write(w io.Writer) error {
	sum, err := script.MergeProfiles(p.texts)
	if err != nil {
		return err
	}
	return sum.Write(w)
}

// startProfile starts a profile of the session's script, which stop writes to the file,
// with what processes of the job have sampled; "" is no file and no profile.
func (s *session) startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}

	// A profile that is cut short appears under no name.
	out, err := cli.OpenOutput(name, io.Discard)
	if err != nil {
		return nil, err
	}

	var own bytes.Buffer
	stopScript, err := s.job.Script.StartProfile(&own)
	if err != nil {
		out.Discard()
		return nil, err
	}

	return func() error {
		defer out.Discard()
		if err := stopScript(); err != nil {
			return err
		}
		if err := s.profiles.add(own.Bytes()); err != nil {
			return err
		}
		if err := s.profiles.write(out); err != nil {
			return err
		}
		return out.Commit()
	}, nil
}
