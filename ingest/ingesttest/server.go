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
	URL   string       // of the public listener, such as http://127.0.0.1:4711
	Admin string       // of the admin listener; "": there is no such listener
	Log   bytes.Buffer // its stderr; to be read once it has ended
}

// Serve starts program, a tmserver, on the data folder dir, offline and without an
// admin address unless flags say otherwise, and returns when it accepts
// connections. If it still runs at the test's end, it is killed.
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

	// The server writes the file when it takes connections, with its address.
	Wait(t, func() bool {
		text, _ := os.ReadFile(ready) // it may not be there yet
		url, ok := strings.CutPrefix(string(text), "listening ")
		url, admin, _ := strings.Cut(url, "\n")
		s.URL = url
		s.Admin = strings.TrimSpace(strings.TrimPrefix(admin, "admin "))
		return ok
	})

	return s
}

// Kill ends the server at once, as a crash does.
func (s *Server) Kill() {
	s.Process.Kill() // it may have ended
	s.Cmd.Wait()
}

// Stop lets the server finish its work and end; anything but success is an error.
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

// Wait returns when done returns true. The test fails if that takes longer than
// anything takes on a loaded machine.
func Wait(t testing.TB, done func() bool) {
	t.Helper()
	for end := time.Now().Add(waitLimit); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// FreePorts returns ports of 127.0.0.1 that no program listens on, for programs that
// need numbers. They are below those that the kernel assigns to connections: one of
// those might be in use by the time the program listens.
func FreePorts(t testing.TB, n int) (ports []int) {
	t.Helper()
	for len(ports) < n {
		port := 10_000 + rand.N(22_000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		defer l.Close() // not yet, so that the port is not found again
		ports = append(ports, port)
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
	// Every segment of every partition.
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
