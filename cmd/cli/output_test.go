package cli

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestOutputToAPipe: a name that is no regular file, such as a device, is written to and
// stays what it is, whether the job succeeds or not.
func TestOutputToAPipe(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}

	for _, succeed := range []bool{true, false} {
		// A pipe opens when both ends do.
		read := make(chan string)
		go func() {
			text, _ := os.ReadFile(pipe)
			read <- string(text)
		}()

		out, err := OpenOutput(pipe, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(out, "rows"); err != nil {
			t.Fatal(err)
		}
		if succeed {
			if err := out.Commit(); err != nil {
				t.Fatal(err)
			}
		}
		out.Discard()

		if got := <-read; got != "rows" {
			t.Errorf("read %q", got)
		}
		if info, err := os.Lstat(pipe); err != nil || info.Mode().Type() != os.ModeNamedPipe {
			t.Errorf("the pipe is %v, %v", info, err)
		}
	}

	entries, err := os.ReadDir(filepath.Dir(pipe))
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v are left", entries, err)
	}
	if _, err := OpenOutput(filepath.Dir(pipe), io.Discard); err == nil {
		t.Error("a folder was opened")
	}
}
