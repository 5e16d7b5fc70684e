package engine

import (
	"encoding/json"
	"fmt"

	"github.com/aitgithub/telemetry-server/layout"
)

// taskRef is a planned task on its way to another machine.
type taskRef struct {
	Index       int           `json:"task"`
	Path        string        `json:"path"` // of the segment, in the tree
	Lo          int           `json:"lo,omitempty"`
	Hi          int           `json:"hi"`
	Size        int64         `json:"size"`
	Bytes       int64         `json:"bytes"`
	Quarantined bool          `json:"quarantined,omitempty"`
	Class       string        `json:"class,omitempty"`
	Parts       []layout.Part `json:"parts,omitempty"` // those of Places
	Places      []int         `json:"places"`
}

// EncodeTask returns a task as one line of JSON, without its newline.
func EncodeTask(t Task) []byte {
	seg := t.Segment
	ref := taskRef{
		Index: t.Index, Path: seg.Path, Lo: t.Lo, Hi: t.Hi, Size: seg.Size, Bytes: t.Bytes,
		Quarantined: seg.Quarantined, Class: seg.Class, Places: t.Places,
	}

	// Only the parts of this task go with it; there its first part is number 0.
	if seg.Parts != nil {
		ref.Parts = seg.Parts[t.FirstPart : t.FirstPart+len(t.Places)]
	}

	text, _ := json.Marshal(ref) // strings and numbers: it cannot fail
	return text
}

// ParseTask returns the task that EncodeTask encoded.
func ParseTask(text []byte) (Task, error) {
	var ref taskRef
	if err := json.Unmarshal(text, &ref); err != nil {
		return Task{}, fmt.Errorf("%w: a task: %w", ErrStream, err)
	}

	seg, ok := layout.PlannedSegment(ref.Path)
	if !ok || len(ref.Places) != max(1, len(ref.Parts)) {
		return Task{}, fmt.Errorf("%w: %s is no task", ErrStream, ref.Path)
	}

	seg.Size = ref.Size
	seg.Quarantined = ref.Quarantined
	seg.Class = ref.Class
	seg.Parts = ref.Parts
	return Task{Index: ref.Index, Segment: Segment{Segment: seg}, Lo: ref.Lo, Hi: ref.Hi, Bytes: ref.Bytes, Places: ref.Places}, nil
}
