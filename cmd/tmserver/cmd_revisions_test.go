package main

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions/hgtest"
)

// tmserver runs the program and returns what it printed and its exit code.
func tmserver(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	st := &cli.State{
		Args: args, Env: func(string) string { return "" }, Now: time.Now,
		Stdin: strings.NewReader(stdin), Stdout: &out, Stderr: &errs,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	code = run(st)
	return out.String(), errs.String(), code
}

// TestConvertWithoutRevision syncs the history of four repositories of a real
// Mercurial server, and converts pings that name no revision with the definitions
// that the history leads to.
func TestConvertWithoutRevision(t *testing.T) {
	hg := hgtest.New(t)
	definitions := func(buckets string) string {
		return `{"A": {"kind": "enumerated", "n_values": ` + buckets + `, "description": "made up"}}`
	}
	node := map[string]string{}
	for _, c := range []struct{ name, repo, date, file, text string }{
		{"central", "mozilla-central", "2014-01-01 00:00", hgtest.Definitions, definitions("3")},
		{"central 30", "mozilla-central", "2014-02-03 00:00", hgtest.Version, "30.0a1\n"},
		{"central new", "mozilla-central", "2014-02-04 00:00", hgtest.Definitions, definitions("4")},
		{"aurora", "releases/mozilla-aurora", "2014-01-01 00:00", hgtest.Definitions, definitions("5")},
		{"beta", "releases/mozilla-beta", "2014-01-01 00:00", hgtest.Definitions, definitions("6")},
		{"release", "releases/mozilla-release", "2014-01-01 00:00", hgtest.Definitions, definitions("7")},
	} {
		node[c.name] = hg.Commit(c.repo, c.date, c.file, c.text)[:12]
	}
	hg.Start()
	dir := t.TempDir()
	const ping = `{"ver":1,"x":1.0,"info":{"appUpdateChannel":"CHANNEL","appBuildID":"BUILD","appVersion":"VERSION"},"histograms":{"A":{"values":{"1":1},"sum":1}}}`
	pings := []struct{ channel, build, version, repo, node, by, counts string }{
		{"nightly", "20140203030204", "30.0a1", "mozilla-central", "central", "channel+buildID", "[0,1,0,0,1,-1,-1,-1,-1]"},
		{"nightly", "20140204030204", "30.0a1", "mozilla-central", "central new", "channel+buildID", "[0,1,0,0,0,1,-1,-1,-1,-1]"},
		{"nightly", "x", "30.0a1", "mozilla-central", "central new", "channel+version", "[0,1,0,0,0,1,-1,-1,-1,-1]"},
		{"default", "20140204030204", "30.0a1", "mozilla-central", "central new", "version", "[0,1,0,0,0,1,-1,-1,-1,-1]"},
		{"aurora", "20140204030204", "29.0a2", "releases/mozilla-aurora", "aurora", "channel+buildID", "[0,1,0,0,0,0,1,-1,-1,-1,-1]"},
		{"beta", "20140204030204", "28.0", "releases/mozilla-beta", "beta", "channel+buildID", "[0,1,0,0,0,0,0,1,-1,-1,-1,-1]"},
		{"release", "20140204030204", "27.0", "releases/mozilla-release", "release", "channel+buildID", "[0,1,0,0,0,0,0,0,1,-1,-1,-1,-1]"},
	}
	var lines, want strings.Builder
	for i, p := range pings {
		id := string(rune('a' + i))
		r := strings.NewReplacer("CHANNEL", p.channel, "BUILD", p.build, "VERSION", p.version)
		lines.WriteString(id + "\t" + r.Replace(ping) + "\n")
		converted := strings.Replace(ping, `"ver":1`, `"ver":2`, 1)
		converted = strings.Replace(converted, `"VERSION"`, `"VERSION","revision":"https://hg.mozilla.org/`+p.repo+"/rev/"+node[p.node]+`","revisionFallback":"`+p.by+`"`, 1)
		converted = strings.Replace(converted, `{"values":{"1":1},"sum":1}`, p.counts, 1)
		want.WriteString(id + "\tUNKNOWN/UNKNOWN/" + p.channel + "/" + p.version + "/" + p.build + "/20140301\t" + r.Replace(converted) + "\n")
	}

	convert := func(flags ...string) (stdout, stderr string, code int) {
		return tmserver(t, lines.String(), append([]string{"convert", "--stdin", "--date", "20140301", "--revision-cache", dir, "--revision-server", hg.URL}, flags...)...)
	}
	rejected := func(why, stdout, stderr string, code int) {
		t.Helper()
		if n := strings.Count(stderr, "Missing in payload: info.revision\n"); stdout != "" || code != cli.ExitRejected || n != len(pings) {
			t.Errorf("%s: exit %d, %d rejected\n%s%s", why, code, n, stdout, stderr)
		}
	}
	stdout, stderr, code := convert()
	rejected("before sync", stdout, stderr, code)

	sync := func() string {
		t.Helper()
		stdout, stderr, code := tmserver(t, "", "revisions", "sync", "--revision-cache", dir, "--revision-server", hg.URL)
		if code != 0 {
			t.Fatalf("sync: exit %d\n%s", code, stderr)
		}
		return stdout
	}
	if got, want := sync(), `mozilla-central: 2 revisions, 2 new, 1 versions
releases/mozilla-aurora: 1 revisions, 1 new, 0 versions
releases/mozilla-beta: 1 revisions, 1 new, 0 versions
releases/mozilla-release: 1 revisions, 1 new, 0 versions
`; got != want {
		t.Errorf("sync:\n%swant\n%s", got, want)
	}
	if got := sync(); strings.Count(got, " 0 new") != 4 {
		t.Errorf("sync again:\n%s", got)
	}
	if stdout, stderr, code = convert(); code != 0 || stdout != want.String() {
		t.Errorf("exit %d\ngot\n%s%swant\n%s", code, stdout, stderr, want.String())
	}

	stdout, stderr, code = convert("--revision-fallback=off")
	rejected("switched off", stdout, stderr, code)
	if _, _, code = convert("--revision-fallback=maybe"); code != cli.ExitUsage {
		t.Errorf("--revision-fallback=maybe: exit %d", code)
	}

	importDuringOutage(t, hg, dir)

	// A file brings the cache to a machine without network.
	file, far := filepath.Join(t.TempDir(), "cache.tar.gz"), filepath.Join(t.TempDir(), "new")
	for _, args := range [][]string{
		{"sync", "--fetch", "--revision-cache", dir, "--revision-server", hg.URL},
		{"export", file, "--revision-cache", dir, "--offline"},
		{"import", file, "--revision-cache", far, "--offline"},
	} {
		if _, stderr, code := tmserver(t, "", append([]string{"revisions"}, args...)...); code != 0 {
			t.Fatalf("revisions %v: exit %d\n%s", args, code, stderr)
		}
	}
	hg.Stop()
	if stdout, stderr, code = convert("--revision-cache", far, "--offline"); code != 0 || stdout != want.String() {
		t.Errorf("offline: exit %d\ngot\n%s%s", code, stdout, stderr)
	}

	if _, stderr, code := tmserver(t, "", "revisions", "sync", "--repo", "mozilla-central", "--revision-cache", far, "--revision-server", hg.URL); code != cli.ExitFailed || !strings.Contains(stderr, "unavailable") {
		t.Errorf("sync without a server: exit %d\n%s", code, stderr)
	}
	stdout, stderr, code = tmserver(t, "", "revisions", "diff", "A", "nightly@20140203000000", "nightly@30.0a1", "--revision-cache", far, "--offline")
	wantDiff := "--- mozilla-central/rev/" + node["central"] + "\n+++ mozilla-central/rev/" + node["central new"] + `
-(bounds): 0 1 2 3
+(bounds): 0 1 2 3 4
 description: "made up"
 kind: "enumerated"
-n_values: 3
+n_values: 4
`
	if stdout != wantDiff || code != 0 {
		t.Errorf("diff: exit %d\n%s%swant\n%s", code, stdout, stderr, wantDiff)
	}
	stdout, _, _ = tmserver(t, "", "revisions", "ls", "--repo", "mozilla-central", "--revision-cache", far)
	if want := "mozilla-central\t" + node["central"] + "\t2014-01-01T00:00:00Z\t2014-02-04T00:00:00Z\tcached\n" +
		"mozilla-central\t" + node["central new"] + "\t2014-02-04T00:00:00Z\t-\tcached\n"; stdout != want {
		t.Errorf("ls:\n%swant\n%s", stdout, want)
	}

	// A damaged index is set aside, which is said, and counts as missing; the next sync
	// makes it anew.
	index := filepath.Join(dir, "history.tsv")
	if err := os.Truncate(index, 100); err != nil {
		t.Fatal(err)
	}

	if _, stderr, code = convert(); code != cli.ExitRejected || !strings.Contains(stderr, "missing_revision") {
		t.Errorf("damaged index: exit %d\n%s", code, stderr)
	}
	if aside, _ := filepath.Glob(index + ".damaged-*"); len(aside) != 1 {
		t.Errorf("set aside: %v, want one file", aside)
	}
	hg.Start()
	sync()
	if _, stderr, code = convert(); code != 0 {
		t.Errorf("after repair: exit %d\n%s", code, stderr)
	}
}

// importDuringOutage imports a raw log whose ping names no revision while the
// definitions are not available: nothing is published or quarantined. Once
// the server is back, the same command publishes the record.
func importDuringOutage(t *testing.T, hg *hgtest.Server, cache string) {
	const ping = `{"ver":1,"info":{"appUpdateChannel":"aurora","appBuildID":"20140204030204"},"histograms":{"A":{"values":{"1":1},"sum":1}}}`
	log := rawlog.AppendHead(nil, 7)
	log = rawlog.AppendEntry(log, &rawlog.Submission{Path: "an-id", Body: []byte(ping), Time: time.Date(2014, 3, 1, 0, 0, 0, 0, time.UTC)}, 7)
	data := t.TempDir()
	raw := filepath.Join(t.TempDir(), "telemetry.log.v4.host.1.1.finished")
	empty := filepath.Join(t.TempDir(), "cache") // the index alone
	index, err := os.ReadFile(filepath.Join(cache, "history.tsv"))
	if err := errors.Join(err, os.WriteFile(raw, log, 0o644), os.Mkdir(empty, 0o755), os.WriteFile(filepath.Join(empty, "history.tsv"), index, 0o644)); err != nil {
		t.Fatal(err)
	}

	files := func(dir string) (names []string) {
		names, err := filepath.Glob(filepath.Join(data, dir, "*", "*", "*", "*", "*"))
		if err != nil {
			t.Fatal(err)
		}

		return names
	}
	imported := func(want int) {
		t.Helper()
		_, stderr, code := tmserver(t, "", "import", "--data-dir", data, "--revision-cache", empty, "--revision-server", hg.URL, raw)
		if code != want {
			t.Fatalf("import: exit %d, want %d\n%s", code, want, stderr)
		}
	}
	hg.Stop()
	imported(cli.ExitFailed)
	if got := append(files("published"), files("invalid")...); len(got) != 0 {
		t.Errorf("during the outage: %v", got)
	}
	hg.Start()
	imported(cli.ExitOK)
	if got := files("published"); len(got) != 1 {
		t.Errorf("after the outage: %v", got)
	}
}
