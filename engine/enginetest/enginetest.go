// Package enginetest makes segments in memory, for tests.
package enginetest

import (
	"strings"

	"github.com/aitgithub/telemetry-server/engine/memory"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Dims are those of the segments that Lines makes.
var Dims = schema.Dims{"saved_session", "Firefox", "nightly", "26.0a1", "20130909030204", "20130910"}

// Lines returns a segment of one frame. Each record is `<id>\t<json>` without a
// newline.
func Lines(path string, records ...string) memory.Segment {
	return memory.Segment{Path: path, Dims: Dims, Frames: []string{strings.Join(records, "\n") + "\n"}}
}
