package ingest

import (
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"

	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
)

// TestAbortedUploadsLeaveNothing breaks uploads off at every stage, many at a
// time: no descriptor, no budget and no byte in the log is left of them. That
// no goroutine is, TestMain checks.
func TestAbortedUploadsLeaveNothing(t *testing.T) {
	count := 10_000
	if testing.Short() {
		count = 1_000
	}

	dir := t.TempDir()
	l := ingesttest.Log(t, dir, nil)
	o := DefaultHandlerOptions()
	h := NewHandler(l, o)
	s := testServerOf(t, h)
	before := openFiles(t)
	stages := []string{
		"",
		"POST /submit/telem",
		"POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Le",
		"POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n",
		"POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{\"half\":",
		"POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
		"POST /submit/telemetry/i HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n",
		"POST /submit/telemetry/batch HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\na\t{}",
	}

	var wg sync.WaitGroup
	for k := range 50 {
		wg.Go(func() {
			for i := range count / 50 {
				c, err := net.Dial("tcp", s.Listener.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(c, stages[(i+k)%len(stages)])
				if i%2 == 0 {
					c.(*net.TCPConn).SetLinger(0) // a reset instead of an end
				}
				c.Close()
			}
		})
	}

	wg.Wait()
	resp, err := s.Client().Post(s.URL+"/submit/telemetry/still-alive", "", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}

	resp.Body.Close()
	s.Client().CloseIdleConnections()
	s.Close() // waits for all connections
	ingesttest.Wait(t, func() bool { return openFiles(t) <= before })
	l.Close()
	if got := ingesttest.Stored(t, dir); len(got) > 0 {
		t.Errorf("stored %d submissions of aborted uploads", len(got))
	}
	if n := h.(*observer).inFlight.Load(); n != 0 {
		t.Errorf("%d bytes of the budget are lost", n)
	}
}

// openFiles counts this process's descriptors.
func openFiles(t *testing.T) int {
	t.Helper()
	d, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(fmt.Sprint("cannot count descriptors here: ", err))
	}
	return len(d)
}
