// Package clitest runs testscripts (.txtar) of commands. Beside the script
// language of testscript it gives
//
//	exits CODE PROGRAM ARG…   runs it and requires that exit code
//	waitfor FILE REGEXP [VAR] waits until FILE, which a background command
//	                          writes, has a match; VAR gets the first group
//	term                      sends SIGTERM to the background commands
//	hangup                    sends SIGHUP to them
//	unpack FILE.gz FILE       gunzips
//	send [-cut] URL TEXT      sends TEXT to the URL's host as it stands, but "|" as line
//	                          end, and prints what comes back; -cut closes its side at once
//	build PROGRAM             builds ./cmd/PROGRAM of the repository into the work folder
//	[have:NAME]               a program, or "shared" for ../shared/data, is there;
//	                          where CI=true it must be, so nothing is skipped
//	[race]                    the race detector is on, which no memory limit fits
//
// $REPO is the repository's root and $SHARED is ../shared/data. Programs of this
// repository other than the one under test are built when asked for.
package clitest

import (
	"bufio"
	"cmp"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// waitLimit is when waitfor gives up: far more than anything takes on a loaded
// machine, far less than the test runner's own limit.
const waitLimit = 2 * time.Minute

// Main is testscript.Main for the program under test.
func Main(m *testing.M, programs map[string]func()) {
	// The race detector has every process of a program sleep for a second at its end.
	os.Setenv(raceOptions, cmp.Or(os.Getenv(raceOptions), "atexit_sleep_ms=10"))
	testscript.Main(m, programs)
}

const raceOptions = "GORACE"

// Build builds programs of the repository ("tmrun") into a folder that ends with the test.
func Build(t *testing.T, programs ...string) (dir string) {
	dir = t.TempDir()
	for _, program := range programs {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", dir, "../"+program).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	return dir
}

// Run runs every script of dir, with the other programs ("tmrun") on the PATH.
// UPDATE_SCRIPTS=1 rewrites golden output; review the diff.
func Run(t *testing.T, dir string, programs ...string) {
	repo, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	shared := filepath.Join(filepath.Dir(repo), "shared", "data")

	// The other programs are built once for all scripts.
	bin := Build(t, programs...)

	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Setup: func(e *testscript.Env) error {
			e.Setenv("REPO", repo)
			e.Setenv("SHARED", shared)
			e.Setenv(raceOptions, os.Getenv(raceOptions))
			e.Setenv("PATH", e.Getenv("PATH")+string(os.PathListSeparator)+bin)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":   exits,
			"waitfor": waitFor,
			"term":    signalAll(syscall.SIGTERM),
			"hangup":  signalAll(syscall.SIGHUP),
			"unpack":  unpack,
			"send":    send,
			"build":   build,
		},
		Condition: func(cond string) (bool, error) {
			if cond == "race" {
				return RaceDetector, nil
			}

			// The rest are have:NAME; what is missing skips a script, but not in CI.
			what, ok := strings.CutPrefix(cond, "have:")
			if !ok {
				return false, fmt.Errorf("unknown condition %q", cond)
			}

			var err error
			if what == "shared" {
				_, err = os.Stat(shared)
			} else {
				_, err = exec.LookPath(what)
			}
			if err != nil && os.Getenv("CI") == "true" {
				return false, fmt.Errorf("CI skips nothing: %w", err)
			}
			return err == nil, nil
		},
	})
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if neg || err != nil || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARG…")
	}

	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		ee, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%s: %v", args[1], err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", args[1], got, want)
	}
}

func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: waitfor FILE REGEXP [VAR]")
	}

	file, re := ts.MkAbs(args[0]), regexp.MustCompile(args[1])
	for end := time.Now().Add(waitLimit); ; time.Sleep(5 * time.Millisecond) {
		text, _ := os.ReadFile(file) // it may not be there yet
		if match := re.FindSubmatch(text); match != nil {
			if len(args) > 2 {
				ts.Setenv(args[2], string(match[1]))
			}
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%s has no match of %s:\n%s", args[0], re, text)
		}
	}
}

// signalAll returns a command that sends a signal to the programs in the background.
func signalAll(signal syscall.Signal) func(ts *testscript.TestScript, neg bool, args []string) {
	return func(ts *testscript.TestScript, _ bool, _ []string) {
		for _, command := range ts.BackgroundCmds() {
			ts.Check(command.Process.Signal(signal))
		}
	}
}

func unpack(ts *testscript.TestScript, neg bool, args []string) {
	in, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer in.Close()

	zr, err := gzip.NewReader(in)
	ts.Check(err)

	out, err := os.Create(ts.MkAbs(args[1]))
	ts.Check(err)
	_, err = io.Copy(out, zr)
	ts.Check(errors.Join(err, out.Close()))
}

func send(ts *testscript.TestScript, neg bool, args []string) {
	cut := args[0] == "-cut"
	if cut {
		args = args[1:]
	}

	address, err := url.Parse(args[0])
	ts.Check(err)
	conn, err := net.DialTimeout("tcp", address.Host, waitLimit)
	ts.Check(err)
	defer conn.Close()
	ts.Check(conn.SetDeadline(time.Now().Add(waitLimit)))

	// A script writes "|" for CRLF, because the end of a line ends its command.
	_, err = io.WriteString(conn, strings.ReplaceAll(args[1], "|", "\r\n"))
	ts.Check(err)

	answer := bufio.NewReader(conn)
	if !cut {
		// A server may take a client that closes before the answer for gone.
		_, err = answer.Peek(1)
		ts.Check(err)
	}
	ts.Check(conn.(*net.TCPConn).CloseWrite())

	text, err := io.ReadAll(answer)
	ts.Check(err)
	_, err = io.WriteString(ts.Stdout(), strings.ReplaceAll(string(text), "\r\n", "\n"))
	ts.Check(err)
}

func build(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: build PROGRAM")
	}

	// In the repository, whose module has the program; the work folder has none.
	command := exec.Command("go", "build", "-o", ts.MkAbs(args[0]), "./cmd/"+args[0])
	command.Dir = ts.Getenv("REPO")
	if out, err := command.CombinedOutput(); err != nil {
		ts.Fatalf("%v: %v\n%s", command, err, out)
	}
}
