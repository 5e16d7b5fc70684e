// Package hgtest runs a real Mercurial server, hgweb, over repositories that a
// test makes. Tests that use it are skipped where there is no hg; where CI=true
// they fail.
package hgtest

import (
	"bufio"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The files that matter in a repository of a browser.
const (
	Definitions = "toolkit/components/telemetry/Histograms.json"
	Version     = "config/milestone.txt"
)

// Server is a hgweb on 127.0.0.1 and its repositories. It belongs to one test.
type Server struct {
	URL string // of the root, without "/" at its end; the same after a restart

	t    testing.TB
	dir  string
	port string
	cmd  *exec.Cmd // nil while stopped
}

// New makes a server without repositories and does not start it. The test's end
// stops it.
func New(t testing.TB) *Server {
	t.Helper()
	if _, err := exec.LookPath("hg"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}

	// Every repository below repos/ is served under its path.
	s := &Server{t: t, dir: t.TempDir(), port: "0"}
	conf := "[paths]\n/ = " + filepath.Join(s.dir, "repos") + "/**\n"
	if err := os.WriteFile(filepath.Join(s.dir, "hgweb.conf"), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}

	t.Cleanup(s.Stop)
	return s
}

// hg returns the command for hg with these arguments, in dir, with no
// configuration but its own.
func (s *Server) hg(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("hg", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HGRCPATH=", "HGPLAIN=1", "HGUSER=test", "HGENCODING=UTF-8")
	return cmd
}

// Run runs hg in a repository and returns its output.
func (s *Server) Run(repo string, args ...string) string {
	s.t.Helper()
	return s.output(filepath.Join(s.dir, "repos", filepath.FromSlash(repo)), args...)
}

func (s *Server) output(dir string, args ...string) string {
	s.t.Helper()
	out, err := s.hg(dir, args...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("hg %s in %s: %v\n%s", strings.Join(args, " "), dir, err, out)
	}
	return string(out)
}

var committed = regexp.MustCompile(`committed changeset \d+:([0-9a-f]{40})`)

// Commit writes a file of a repository, which is made if it does not exist, and
// commits it with a date such as "2014-02-03 04:05". It returns the change's 40
// digits.
func (s *Server) Commit(repo, date, file, text string) (node string) {
	s.t.Helper()
	// The first commit makes the repository.
	dir := filepath.Join(s.dir, "repos", filepath.FromSlash(repo))
	if _, err := os.Stat(dir); err != nil {
		s.output(s.dir, "init", dir)
	}

	name := filepath.Join(dir, filepath.FromSlash(file))
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}

	// With --debug hg prints the new change's 40 digits.
	out := s.output(dir, "commit", "--debug", "-A", "-m", "change "+file, "-d", date+" +0000")
	m := committed.FindStringSubmatch(out)
	if m == nil {
		s.t.Fatalf("hg commit says no node:\n%s", out)
	}

	return m[1]
}

// Start starts the server, on the same port as before: a connection that the
// kernel gave that port in between keeps it waiting.
func (s *Server) Start() {
	s.t.Helper()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := s.start()
		if err == nil {
			return
		}
		s.Stop()
		if time.Now().After(end) {
			s.t.Fatal(err)
		}
	}
}

func (s *Server) start() error {
	cmd := s.hg(s.dir, "serve", "--web-conf", "hgweb.conf", "-a", "127.0.0.1", "-p", s.port, "--print-url")
	cmd.Stderr = s.t.Output()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}

	s.cmd = cmd
	// hg prints its URL once it listens.
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("hg serve: %q: %w", line, err)
	}

	u, err := url.Parse(strings.TrimSpace(line))
	if err != nil || u.Port() == "" {
		return fmt.Errorf("hg serve: %q: %v", line, err)
	}

	s.port = u.Port()
	s.URL = "http://127.0.0.1:" + s.port
	return nil
}

// Stop stops the server; the repositories stay.
func (s *Server) Stop() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	s.cmd.Wait() // says that it was killed
	s.cmd = nil
}
