package jobs

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/google/pprof/profile"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// Profile returns where the time of a run's script went, by line. It returns ErrUnknown for
// a run that was not profiled.
func (m *Manager) Profile(id string) (api.Profile, error) {
	if _, _, err := m.Get(id); err != nil {
		return api.Profile{}, err
	}

	file, err := m.root.Open(runDir(id) + "/" + profileFile)
	if errors.Is(err, fs.ErrNotExist) {
		return api.Profile{}, ErrUnknown
	}
	if err != nil {
		return api.Profile{}, err
	}
	defer file.Close()

	sampled, err := profile.Parse(file)
	if err != nil {
		return api.Profile{}, fmt.Errorf("profile of %s: %w", id, err)
	}
	return byLine(sampled), nil
}

// byLine adds up the samples by the line that ran. The last value of a sample is its time.
func byLine(sampled *profile.Profile) api.Profile {
	found := api.Profile{Lines: []api.Line{}}
	times := map[api.Line]float64{} // by a Line without its time
	for _, sample := range sampled.Sample {
		seconds := float64(sample.Value[len(sample.Value)-1]) / 1e9
		found.Seconds += seconds
		if len(sample.Location) == 0 || len(sample.Location[0].Line) == 0 {
			continue
		}

		line := sample.Location[0].Line[0]
		if line.Function != nil {
			times[api.Line{File: path.Base(line.Function.Filename), Line: line.Line}] += seconds
		}
	}

	for line, seconds := range times {
		line.Seconds = seconds
		found.Lines = append(found.Lines, line)
	}
	slices.SortFunc(found.Lines, func(a, b api.Line) int {
		return cmp.Or(cmp.Compare(b.Seconds, a.Seconds), cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	return found
}
