package main

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	askingClient  = "b1f46580-36c2-46ff-83c8-fad2bae09b8a"
	stayingClient = "63cb48f4-0a81-4a41-88cb-2342e7635149"
)

// forgetRawLogs returns a data folder with two raw logs. In the first one a client sends
// pings, one of which is no JSON, then a deletion request, and then one more ping. The names
// of the documents that stay are the result's keys.
func forgetRawLogs(t *testing.T) (dir string, stay map[string]int) {
	dir = t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, layout.RawDir), 0o777); err != nil {
		t.Fatal(err)
	}
	stay = map[string]int{"request": 1}
	logs := [2][]byte{rawlog.AppendHead(nil, 1), rawlog.AppendHead(nil, 1)}
	add := func(log int, kind, id, client, text string) {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		fmt.Fprintf(z, text, client)
		z.Close()
		logs[log] = rawlog.AppendEntry(logs[log], &rawlog.Submission{
			Path: "/my-app/" + kind + "/1/" + id, Body: packed.Bytes(), Time: time.UnixMilli(1391385600000),
		}, 1)
		if client == stayingClient {
			stay[id] = 1
		}
	}

	for log := range logs {
		for _, client := range []string{askingClient, stayingClient} {
			add(log, "baseline", fmt.Sprintf("%d-%.4s", log, client), client, `{"client_info":{"client_id":"%s"}}`)
		}
	}
	add(0, "baseline", "bad", askingClient, `{"client_info":{"client_id":"%s"}`)
	add(0, "deletion-request", "request", askingClient, `{"client_info":{"client_id":"%s"}}`)
	add(0, "baseline", "later", askingClient, `{"client_info":{"client_id":"%s"}}`)
	for log, content := range logs {
		name := filepath.Join(dir, layout.RawDir, fmt.Sprintf("telemetry.log.v4.h.1.139138560000%d.finished", log))
		if err := os.WriteFile(name, content, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir, stay
}

// TestKilledAtEveryChangeOfForgetting is TestKilledAtEveryChange for deletion requests:
// conversion of a raw log with one, and what apply does, in both forms of segments.
func TestKilledAtEveryChangeOfForgetting(t *testing.T) {
	raw, stay := forgetRawLogs(t)
	rows := copyOf(t, raw)
	runProgram(t, nil, []int{3}, "convert", "--offline", "--data-dir", rows)
	inColumns := copyOf(t, rows)
	runProgram(t, nil, []int{0}, "compact", "--form", "columns", "--data-dir", inColumns)

	// A raw log that waits: its client was forgotten since.
	waiting := copyOf(t, raw)
	if err := os.RemoveAll(filepath.Join(waiting, layout.PublishedDir)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(waiting, layout.PublishedDir), 0o777); err != nil {
		t.Fatal(err)
	}
	runProgram(t, nil, []int{0}, "forget", "add", "--data-dir", waiting, askingClient)

	for _, tt := range []struct {
		name, before string
		args         []string
		exits        []int
	}{
		{"convert", raw, []string{"convert", "--offline"}, []int{3, 0}},
		{"apply to rows", rows, []string{"forget", "apply"}, []int{0}},
		{"apply to columns", inColumns, []string{"forget", "apply"}, []int{0}},
		{"apply to raw logs", waiting, []string{"forget", "apply"}, []int{0}},
		{"add", rows, []string{"forget", "add", stayingClient}, []int{0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			command := func(dir string) []string { return append(slices.Clone(tt.args), "--data-dir", dir) }
			for at, change := range changesOf(t, tt.exits[0], command(copyOf(t, tt.before))...) {
				if at%3 != 0 && os.Getenv("CI") == "" || testing.Short() && at%12 != 3 {
					continue
				}
				dir := copyOf(t, tt.before)
				runProgram(t, []string{killAtEnv + "=" + fmt.Sprint(at)}, []int{killed}, command(dir)...)
				requireNoDamage(t, dir)

				// The same command again finishes or repeats everything.
				runProgram(t, nil, tt.exits, command(dir)...)
				want := maps.Clone(stay)
				switch tt.name {
				case "add":
					want = map[string]int{"request": 1}
				case "apply to raw logs":
					runProgram(t, nil, []int{0}, "convert", "--offline", "--data-dir", dir)
					delete(want, "request") // it is in the list
				}
				runProgram(t, nil, []int{0}, "forget", "apply", "--data-dir", dir) // 0: nothing is left
				requireNoDamage(t, dir)
				if got := ingesttest.Published(t, dir); !maps.Equal(got, want) {
					t.Errorf("killed at %s, and run again: records %v, want %v", change, got, want)
				}
				requireNoText(t, dir, askingClient)
				if err := os.RemoveAll(dir); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// requireNoText checks that no line of a record or a quarantined submission has a text; as
// the program would not, it looks everywhere in the line.
func requireNoText(t *testing.T, dir, text string) {
	t.Helper()
	tree, err := layout.OpenTree(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	everything := schema.All()
	everything.IncludeQuarantined = true
	segments, err := tree.Segments(t.Context(), everything)
	if err != nil {
		t.Fatal(err)
	}
	for _, seg := range segments {
		reader, err := tree.Open(seg, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		for {
			lines, err := reader.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for line := range bytes.Lines(lines) {
				doc := bytes.TrimSpace(line)
				if seg.Quarantined {
					_, json, _ := bytes.Cut(line, []byte("\t"))
					rejected, err := layout.ParseRejected(json)
					if err != nil {
						t.Fatal(err)
					}
					doc = forget.Unpack(rejected.Body)
				}
				if bytes.Contains(doc, []byte(text)) {
					t.Errorf("%s: %s", seg.Path, doc)
				}
			}
		}
		reader.Close()
	}
}

// TestForgetClients sends everything that current clients have sent, with the deletion
// requests of CLIENTS.md among it, to a real server. Each is answered, each request is a
// record without the ID, no later ping of these clients is stored, and nothing is left of them
// after apply.
func TestForgetClients(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	requests := ingesttest.ClientRequests(t)
	requests = append(requests, ingesttest.ClientRequest{
		Name: "usage-deletion-request", Method: "POST", Path: "/submit/firefox-desktop/usage-deletion-request/1/0ff1ce00-0000-4000-8000-000000000001",
		Body: []byte(`{"metrics":{"uuid":{"usage.profile_id":"8bf9a03f-2295-4d68-85e6-7221ace5bc2c"}}}`),
	})

	dir := t.TempDir()
	server := ingesttest.Serve(t, "tmserver", dir, "--offline")
	send := func(requests []ingesttest.ClientRequest) {
		for _, request := range requests {
			r, err := http.NewRequestWithContext(t.Context(), request.Method, server.URL+request.Path, bytes.NewReader(request.Body))
			if err != nil {
				t.Fatal(err)
			}
			answer, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			answer.Body.Close()
			if answer.StatusCode/100 != 2 {
				t.Errorf("%s: %s", request.Name, answer.Status)
			}
		}
	}
	send(requests)
	server.Stop(t)

	// Every ID of a request is known.
	out := runTool(t, "forget", "ls", "--data-dir", dir)
	for _, id := range []string{
		"bbd3a809-6dde-4cc4-8432-1c1fe3100f03", "271f4fce-20cd-45a9-81e6-692c1ec3077e", "957d55a5-e987-4579-88cd-6710804913c2",
		"b1f46580-36c2-46ff-83c8-fad2bae09b8a", "63cb48f4-0a81-4a41-88cb-2342e7635149", "131f37ff-68ba-41e8-8560-7083a071cc9a",
		"47f65356-dfc1-4f33-85d1-0461e109367a", "8bf9a03f-2295-4d68-85e6-7221ace5bc2c",
	} {
		if !strings.Contains(out, id) {
			t.Errorf("%s is not forgotten", id)
		}
	}

	// The same pings again, under other document IDs: none of these clients is stored.
	before := ingesttest.Published(t, dir)
	again := slices.DeleteFunc(slices.Clone(requests), func(r ingesttest.ClientRequest) bool { return r.Body == nil })
	for i := range again {
		again[i].Path = strings.NewReplacer("/1/", "/1/a", "/submit/telemetry/", "/submit/telemetry/a").Replace(again[i].Path)
	}
	server = ingesttest.Serve(t, "tmserver", dir, "--offline")
	send(again)
	server.Stop(t)
	if after := ingesttest.Published(t, dir); len(after) <= len(before) || len(after) >= 2*len(before) {
		t.Errorf("%d records, and %d when everything came again", len(before), len(after))
	}

	runProgram(t, nil, []int{3}, "forget", "status", "--data-dir", dir)
	runProgram(t, nil, []int{0}, "forget", "apply", "--data-dir", dir)
	runProgram(t, nil, []int{0}, "forget", "status", "--data-dir", dir)
	runProgram(t, nil, []int{0}, "check", "--data-dir", dir)
	for line := range strings.Lines(out) {
		id, _, _ := strings.Cut(line, "\t")
		requireNoText(t, dir, id)
	}
}

// TestForgottenStayForgotten: a snapshot of before the request brings nobody back, and neither
// do the trash and an import.
func TestForgottenStayForgotten(t *testing.T) {
	if testing.Short() {
		t.Skip("runs many commands")
	}
	raw, stay := forgetRawLogs(t)
	repository := filepath.Join(t.TempDir(), "backup")
	dir := copyOf(t, raw)
	rawCopy := filepath.Join(t.TempDir(), "telemetry.log.v4.h.1.1391385600000.finished")
	log, err := os.ReadFile(filepath.Join(dir, layout.RawDir, filepath.Base(rawCopy)))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(rawCopy, log, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, layout.PublishedDir), 0o777); err != nil {
		t.Fatal(err)
	}

	runProgram(t, nil, []int{0}, "backup", "--data-dir", dir, repository) // before the request is known
	runProgram(t, nil, []int{3}, "convert", "--offline", "--data-dir", dir)
	runProgram(t, nil, []int{0}, "forget", "apply", "--data-dir", dir)
	runProgram(t, nil, []int{0}, "backup", "--data-dir", dir, repository)

	restored := filepath.Join(t.TempDir(), "restored")
	out := runTool(t, "restore", "--data-dir", restored, "--snapshot", "1", repository)
	if !strings.Contains(out, "1 clients are forgotten") {
		t.Errorf("restore says %s", out)
	}
	runProgram(t, nil, []int{3}, "forget", "status", "--data-dir", restored)
	runProgram(t, nil, []int{0, 3}, "convert", "--offline", "--data-dir", restored)
	runProgram(t, nil, []int{0}, "forget", "status", "--data-dir", restored)
	if got := ingesttest.Published(t, restored); !maps.Equal(got, stay) {
		t.Errorf("restored: %v, want %v", got, stay)
	}

	runProgram(t, nil, []int{0, 3}, "import", "--offline", "--data-dir", dir, rawCopy)
	runProgram(t, nil, []int{0}, "forget", "status", "--data-dir", dir)
}

// runTool runs tmserver, which must succeed, and returns what it prints.
func runTool(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "tmserver", args...).Output()
	if err != nil {
		t.Fatalf("tmserver %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}
