package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/revisions/hgtest"
)

// TestRealPingsWithoutRevision removes info.revision from a hundred real pings and
// converts them with the history of a real Mercurial server that has the real
// definitions: every record is the same as before, except for its revision.
func TestRealPingsWithoutRevision(t *testing.T) {
	const shared = "../../../shared/data"
	if _, err := os.Stat(shared); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}

	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(shared, name))
		if err != nil {
			t.Fatal(err)
		}

		return string(b)
	}
	hg := hgtest.New(t)
	const central, aurora, beta, release = "mozilla-central", "releases/mozilla-aurora", "releases/mozilla-beta", "releases/mozilla-release"
	nodes := map[string]string{} // of the changes here by the real ones
	for _, c := range []struct{ date, repo, real string }{
		{"2013-06-25 00:00", aurora, "8d3810543edc"},
		{"2013-08-06 00:00", aurora, "ad0ae007aa9e"},
		{"2013-08-05 00:00", central, "ad0ae007aa9e"},
		{"2013-08-06 00:00", beta, "8d3810543edc"},
		{"2012-11-19 00:00", release, "a55c55edf302"},
	} {
		file := c.repo + "/" + c.real + "/Histograms.json"
		nodes[file] = c.repo + "/" + hg.Commit(c.repo, c.date, hgtest.Definitions, read("histogram_cache/"+file))[:12] + "/Histograms.json"
	}
	hg.Commit(central, "2013-08-05 00:00", hgtest.Version, "26.0a1\n")
	hg.Commit(release, "2012-11-20 00:00", hgtest.Version, "17.0\n") // for the ESR, whose channel has no repository here
	hg.Start()
	member := regexp.MustCompile(`"revision":"https?://hg\.mozilla\.org/[^"]*",`)
	var whole, stripped strings.Builder
	entries := rawlog.NewReader(strings.NewReader(read("raw/telemetry.log.v1.100-realistic-pings")), 1)
	for {
		s, err := entries.Next()
		if err == io.EOF {
			break
		}

		gz, err2 := gzip.NewReader(bytes.NewReader(s.Body))
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		text, err := io.ReadAll(gz)
		if err != nil {
			t.Fatal(err)
		}

		id, _, _ := strings.Cut(s.Path, "/")
		whole.WriteString(id + "\t" + string(text) + "\n")
		if n := len(member.FindAll(text, -1)); n != 1 {
			t.Fatalf("%s has %d revisions", id, n)
		}
		stripped.WriteString(id + "\t" + member.ReplaceAllString(string(text), "") + "\n")
	}

	cache := t.TempDir()
	if _, stderr, code := tmserver(t, "", "revisions", "sync", "--revision-cache", cache, "--revision-server", hg.URL); code != 0 {
		t.Fatalf("sync: exit %d\n%s", code, stderr)
	}
	got, stderr, code := tmserver(t, stripped.String(), "convert", "--stdin", "--date", "20130910", "--revision-cache", cache, "--revision-server", hg.URL)
	if code != 0 {
		t.Fatalf("without: exit %d\n%s", code, stderr)
	}
	// The fetched texts under the real names: those of the shared data still have the
	// C++ constants that are replaced when a definition is fetched.
	real := t.TempDir()
	for file, here := range nodes {
		text, err := os.ReadFile(filepath.Join(cache, here))
		if err := errors.Join(err, os.MkdirAll(filepath.Join(real, filepath.Dir(file)), 0o755), os.WriteFile(filepath.Join(real, file), text, 0o644)); err != nil {
			t.Fatal(err)
		}
	}

	want, stderr, code := tmserver(t, whole.String(), "convert", "--stdin", "--date", "20130910", "--offline", "--revision-cache", real)
	if code != 0 || strings.Count(want, "\n") != 100 {
		t.Fatalf("with revisions: exit %d\n%s", code, stderr)
	}
	found := regexp.MustCompile(`,"revision":"https://hg\.mozilla\.org/[^"]*","revisionFallback":"([a-zA-Z+]*)"`)
	by := map[string]int{}
	for _, m := range found.FindAllStringSubmatch(got, -1) {
		by[m[1]]++
	}

	if by["channel+buildID"] != 95 || by["version"] != 5 {
		t.Errorf("found by %v", by)
	}
	gots, wants := strings.Split(found.ReplaceAllString(got, ""), "\n"), strings.Split(member.ReplaceAllString(want, ""), "\n")
	for i := range wants {
		if gots[i] == wants[i] {
			continue
		}
		k := 0
		for k < min(len(gots[i]), len(wants[i])) && gots[i][k] == wants[i][k] {
			k++
		}

		t.Errorf("line %d, at byte %d:\n%.100q\n%.100q", i+1, k, gots[i][k:], wants[i][k:])
	}
}
