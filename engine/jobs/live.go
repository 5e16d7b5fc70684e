package jobs

import (
	"errors"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// shown is what a live run has: records up to a publication, by a version of the script.
type shown struct {
	published int64
	loaded    time.Time
}

// startLive starts the live scripts whose results are older than the newest publication, or
// than the script. A run is an ordinary one: it maps the new segments only, because the
// results of the others are in tmrun's cache, and so its rows are those of a run over all.
func (s *Scripts) startLive() error {
	if s.manager.o.Published == nil {
		return nil
	}

	var errs []error
	for _, version := range s.folder.All() {
		if !version.Value.Live || version.Loaded.IsZero() || s.manager.isActive(version.Name) {
			continue
		}

		// Read before the run starts: what is published meanwhile starts another one.
		now := shown{s.manager.o.Published(), version.Loaded}
		if s.live[version.Name] == now {
			continue
		}

		_, err := s.Start(version.Name, api.Request{}, api.ByLive)
		if err == nil {
			s.live[version.Name] = now
		}
		if !errors.Is(err, ErrFull) { // else at the next tick
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
