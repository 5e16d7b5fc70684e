package rawlog

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// TestRequest writes every field and reads it back through a raw log.
func TestRequest(t *testing.T) {
	format, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}

	var request []byte
	for field := Field(1); field < NumFields; field++ {
		request = AppendField(request, field, fmt.Sprintf("value %d", field))
		if !bytes.Contains(format, fmt.Appendf(nil, "\n| %d | ", field)) {
			t.Errorf("FORMAT.md has no row of field %d", field)
		}
	}
	request = append(request, 200, 1, 0, 'x') // of a later release

	log := AppendEntry(AppendHead(nil, 7), &Submission{Path: "p", Body: []byte("b"), Country: "DE", Request: Request(request), Time: time.UnixMilli(1)}, 7)
	sub, err := NewReader(bytes.NewReader(log), VersionAuto).Next()
	if err != nil || sub.Path != "p" || string(sub.Body) != "b" || sub.Country != "DE" {
		t.Fatalf("%+v, %v", sub, err)
	}
	for field := Field(1); field < NumFields; field++ {
		if got, want := sub.Request.Get(field), fmt.Sprintf("value %d", field); got != want {
			t.Errorf("field %d: %q, want %q", field, got, want)
		}
	}
}

// TestRequestBounds: values are cut between two characters, and a request with everything
// in it is no damage.
func TestRequestBounds(t *testing.T) {
	for _, value := range []string{strings.Repeat("x", 5000), "x" + strings.Repeat("é", 700), strings.Repeat("\xff", 2000)} {
		got := Request(AppendField(nil, FieldDate, value)).Get(FieldDate)
		if len(got) > MaxFieldBytes || len(got) < MaxFieldBytes-4 || !strings.HasPrefix(value, got) || utf8.ValidString(value) && !utf8.ValidString(got) {
			t.Errorf("%.10q: %d bytes", value, len(got))
		}
	}

	var request []byte
	for field := Field(1); field < NumFields; field++ {
		request = AppendField(request, field, strings.Repeat("x", MaxFieldBytes+1))
	}
	log := AppendEntry(AppendHead(nil, 7), &Submission{Path: "p", Request: Request(request), Time: time.UnixMilli(1)}, 7)
	r := NewReader(bytes.NewReader(log), VersionAuto)
	if sub, err := r.Next(); err != nil || len(sub.Request) != MaxRequestBytes {
		t.Errorf("%d bytes of %d, %v", len(sub.Request), MaxRequestBytes, err)
	}
	if _, err := r.Next(); err != io.EOF || r.BytesLost() != 0 {
		t.Errorf("%v, %d bytes lost", err, r.BytesLost())
	}
}

// TestRequestIsHostile reads encodings that nothing has written.
func TestRequestIsHostile(t *testing.T) {
	for _, request := range []Request{"", "\x03", "\x03\x05\x00abc", "\x03\xff\xff", "\x01\x00\x00\x03\x02\x00a"} {
		if got := request.Get(FieldDate); got != "" {
			t.Errorf("%q: %q", request, got)
		}
	}
}
