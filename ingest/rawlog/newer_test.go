package rawlog

import (
	"bytes"
	"errors"
	"testing"
)

// TestNewerRawLog: a raw log of a later version is refused as that, and one of ours whose
// version is damaged is not.
func TestNewerRawLog(t *testing.T) {
	text := AppendHead(nil, 7)
	for range 5 {
		text = AppendEntry(text, &Submission{Path: "id", Body: []byte("{}")}, 7)
	}
	text[5]++
	reader := NewReader(bytes.NewReader(text), Version)
	if _, err := reader.Next(); errors.Is(err, ErrNewer) {
		t.Errorf("a damaged version: %v", err)
	}

	text[10]++ // other content, and so another checksum
	for _, version := range []int{VersionAuto, Version} {
		if _, err := NewReader(bytes.NewReader(text), version).Next(); !errors.Is(err, ErrNewer) {
			t.Errorf("a newer version: %v", err)
		}
	}
}
