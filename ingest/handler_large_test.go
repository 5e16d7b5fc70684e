package ingest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// TestHandlerExpect plays clients that ask before they send a body.
func TestHandlerExpect(t *testing.T) {
	dir := t.TempDir()
	l := ingesttest.Log(t, dir, nil)
	s := testServer(t, dir, l)
	for _, tt := range []struct {
		name, path, length string
		want               []int // the answers; the body is sent after 100
	}{
		{"taken", "/submit/telemetry/i", "2", []int{100, 200}},
		{"too large", "/submit/telemetry/i", "5000000", []int{202}},
		{"other path", "/other", "2", []int{404}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			io.WriteString(c, post(tt.path, "Expect: 100-continue\r\nContent-Length: "+tt.length+"\r\n", ""))
			answers := bufio.NewReader(c)
			for _, want := range tt.want {
				resp, err := http.ReadResponse(answers, nil)
				if err != nil || resp.StatusCode != want {
					t.Fatalf("%v, %v; want %d", resp, err, want)
				}
				if want == http.StatusContinue {
					io.WriteString(c, "{}")
				}
			}
		})
	}

	l.Close()
	if got := ingesttest.Stored(t, dir); fmt.Sprint(got) != "[i={}]" {
		t.Errorf("stored %q", got)
	}
}

// TestHandlerHearsOut plays clients that send all of a body that is far too long
// before they listen. The server reads their bodies to the end, and answers.
func TestHandlerHearsOut(t *testing.T) {
	dir := t.TempDir()
	s := testServer(t, dir, ingesttest.Log(t, dir, nil))
	body := bytes.Repeat([]byte{'x'}, 8<<20)
	for name, request := range map[string]string{
		"length":  post("/submit/telemetry/i", fmt.Sprintf("Content-Length: %d\r\n", len(body)), string(body)),
		"chunked": post("/submit/telemetry/i", "Transfer-Encoding: chunked\r\n", fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)),
	} {
		t.Run(name, func(t *testing.T) {
			if got := exchange(t, s, request); !strings.HasPrefix(got, "202 Request too large") {
				t.Errorf("got %s", got)
			}
		})
	}
}
