package ingesttest

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Server is a tmserver in a process of its own.
type Server struct {
	*exec.Cmd
	URL string       // of the public listener, such as http://127.0.0.1:4711
	Log bytes.Buffer // what it has written to stderr; for reading once it has ended
}

// Serve has program, a tmserver, serve the data folder dir, offline and without an
// admin address unless flags say otherwise, and returns when it takes
// connections. What is left of it at the test's end is killed.
func Serve(t testing.TB, program, dir string, flags ...string) *Server {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready")
	s := &Server{Cmd: exec.Command(program, append([]string{"serve", "--data-dir", dir,
		"--listen", "127.0.0.1:0", "--admin-listen", "", "--ready-file", ready, "--offline"}, flags...)...)}
	s.Stderr = io.MultiWriter(t.Output(), &s.Log)
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.ProcessState == nil {
			s.Kill()
		}
	})
	Wait(t, func() bool {
		text, _ := os.ReadFile(ready) // it may not be there yet
		url, ok := strings.CutPrefix(string(text), "listening ")
		s.URL, _, _ = strings.Cut(url, "\n")
		return ok
	})
	return s
}

// Kill ends the server where it stands.
func (s *Server) Kill() {
	s.Process.Kill() // it may have ended
	s.Cmd.Wait()
}

// Stop has the server finish its work and end; anything but success is an error.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if err := s.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := s.Cmd.Wait(); err != nil {
		t.Errorf("the server: %v", err)
	}
}

const waitLimit = 3 * time.Minute

// Wait returns when done does; the test fails when that takes far longer than
// anything takes on a loaded machine.
func Wait(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(waitLimit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited for nothing")
		}
	}
}

// FreePorts returns ports of 127.0.0.1 that nobody listens on, for programs that
// want numbers. They are none that the kernel gives to connections: one of those
// may be taken when the program comes to listen.
func FreePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for len(ports) < n {
		port := 10_000 + rand.N(22_000)
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer l.Close() // so that it is not found again
			ports = append(ports, port)
		}
	}
	return ports
}

// Published counts how often each ID is in the published records of the data
// folder dir.
func Published(t testing.TB, dir string) map[string]int {
	t.Helper()
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	segments, err := tree.Segments(t.Context(), schema.All())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]int{}
	for _, seg := range segments {
		r, err := tree.Open(seg, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		for {
			block, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(block) {
				id, _, _ := bytes.Cut(line, []byte{'\t'})
				ids[string(id)]++
			}
		}
		r.Close()
	}
	return ids
}
