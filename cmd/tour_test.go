package cmd_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

// requireShell skips a test that runs commands of the documents where it takes too long or
// cannot run; in CI it can.
func requireShell(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds both programs")
	}
	for _, program := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// TestReadmeTour runs README's sh blocks one after the other in one shell, in a
// copy of the repository.
func TestReadmeTour(t *testing.T) {
	requireShell(t)
	readme := readREADME(t)
	script := "set -eu\n"
	for _, m := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		script += m[1]
	}
	free := ingesttest.FreePorts(t, 2)
	for i, port := range []string{"8080", "8081"} {
		script = strings.ReplaceAll(script, port, strconv.Itoa(free[i]))
	}
	dir := t.TempDir()
	copyRepository(t, dir)
	cmd := exec.CommandContext(t.Context(), "bash", "-c", script)
	cmd.Dir = dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, &stdout, &stderr)
	}
	t.Log(stdout.String())
	for _, want := range []string{
		"WINNT\t",           // os_distribution
		"nightly\t0x",       // graphics.js
		"OK",                // the live server
		"records\t301",      // its ping was stored
		"\tFirefox\tbeta\t", // dims_only
	} {
		if !strings.Contains(stdout.String(), want) {
			t.Errorf("the tour's output lacks %q", want)
		}
	}
}

func TestReadmeExitCodes(t *testing.T) {
	readme := readREADME(t)
	for code, meaning := range map[int]string{
		cli.ExitOK: "done", cli.ExitFailed: "failed", cli.ExitUsage: "bad flags", cli.ExitRejected: "done, but",
		cli.ExitCorrupt: "stored data", cli.ExitScript: "the script", cli.ExitLimit: "a time", cli.ExitInterrupted: "interrupted",
	} {
		if row := fmt.Sprintf("| %d | %s", code, meaning); !strings.Contains(readme, row) {
			t.Errorf("README's table of exit codes lacks %q", row)
		}
	}
}

func TestReadmeOpensWithTwoCommands(t *testing.T) {
	intro, _, _ := strings.Cut(readREADME(t), "\n## ")
	got := regexp.MustCompile(`(?m)^(go|make) .*?(  |$)`).FindAllString(intro, -1)
	if len(got) != 2 {
		t.Errorf("README opens with the commands %q, want two", got)
	}
}

func readREADME(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// copyRepository copies what git has, without history, so that a command cannot
// leave anything behind.
func copyRepository(t *testing.T, dir string) {
	t.Helper()
	repo := os.DirFS("..")
	err := fs.WalkDir(repo, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path == ".git" || path == "bin" || path == "data" {
				return fs.SkipDir
			}
			return os.MkdirAll(filepath.Join(dir, path), 0o777)
		}
		if !d.Type().IsRegular() || path == ".git" {
			return nil
		}
		b, err := fs.ReadFile(repo, path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(dir, path), b, 0o666)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestStatusTableInDocs compares the status table in docs/operating.md with the
// one in the code. UPDATE_SCRIPTS=1 copies it.
func TestStatusTableInDocs(t *testing.T) {
	source, err := os.ReadFile("../ingest/doc.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "// # Status table\n//\n")
	var want strings.Builder
	for line := range strings.Lines(rest) {
		row, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			break
		}
		want.WriteString(row)
	}
	const file = "../docs/operating.md"
	docs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	table := regexp.MustCompile("(?s)```\nPOST, PUT /submit/.*?```")
	got := table.FindString(string(docs))
	if os.Getenv("UPDATE_SCRIPTS") != "" {
		updated := table.ReplaceAllLiteralString(string(docs), "```\n"+want.String()+"```")
		if err := os.WriteFile(file, []byte(updated), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if got != "```\n"+want.String()+"```" {
		t.Errorf("docs/operating.md has another status table than ingest/doc.go: UPDATE_SCRIPTS=1 go test ./cmd -run StatusTable copies it\ngot:\n%s\nwant:\n%s", got, &want)
	}
}
