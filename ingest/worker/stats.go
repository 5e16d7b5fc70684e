package worker

import (
	"encoding/json"
	"path"

	"github.com/aitgithub/telemetry-server/layout"
)

// StatsDir holds, for every raw log that was converted, what its segments do not
// tell.
const StatsDir = layout.StateDir + "/stats"

// StatsDoc is such a file, <source>.json.
type StatsDoc struct {
	Source      string           `json:"source"`
	Submissions int64            `json:"submissions"`
	BytesLost   int64            `json:"bytes_lost,omitempty"`
	Mismatched  map[string]int64 `json:"mismatched,omitempty"` // by dimension
	Filtered    map[string]int64 `json:"filtered,omitempty"`   // by reason
	// Dropped counts the histograms left out, by reason and name.
	Dropped map[string]map[string]int64 `json:"dropped,omitempty"`
}

// attachStats has the commit that publishes source keep its statistics.
func attachStats(w *layout.Writer, source string, st *Stats) error {
	doc := StatsDoc{
		Source: source, Submissions: st.Submissions, BytesLost: st.BytesLost, Filtered: st.Filtered,
		Mismatched: map[string]int64{}, Dropped: map[string]map[string]int64{},
	}
	for i, n := range st.Mismatched {
		if n > 0 {
			doc.Mismatched[layout.DimNames[i]] = n
		}
	}
	for d, n := range st.Dropped {
		if doc.Dropped[d.Reason] == nil {
			doc.Dropped[d.Reason] = map[string]int64{}
		}
		doc.Dropped[d.Reason][d.Name] += n
	}
	b, err := json.Marshal(doc)
	if err != nil {
		return err
	}
	_, err = w.Attach(path.Join(StatsDir, source+".json")).Write(b)
	return err
}
