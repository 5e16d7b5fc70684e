package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// hostile are values that try to leave a folder, or to make a name that breaks it.
var hostile = []string{
	"..", ".", "../../../../outside", "/outside", "%2e%2e%2f%2e%2e%2foutside", "..%2F..%2F..%2Foutside", `..\..\outside`,
	"a\x00b", "%00", "a%0Ab", strings.Repeat("x", 1500), strings.Repeat("../", 500), ".hidden", "~", "-rf", "COMMIT", "é\xff",
}

// TestNothingLeavesTheDataFolder submits hostile values as each part of the URL
// and as each dimension in the payload.
func TestNothingLeavesTheDataFolder(t *testing.T) {
	around := t.TempDir()
	dir := filepath.Join(around, "a", "b", "data")
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}

	s := ingesttest.Serve(t, "tmserver", dir)
	c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	answers := bufio.NewReader(c)
	stored := 0
	send := func(path string, body []byte) {
		t.Helper()
		fmt.Fprintf(c, "POST /submit/telemetry/%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%.100q: %v", path, err)
		}

		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			stored++
		}
		if resp.Close { // a request that net/http itself refuses
			if c, err = net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")); err != nil {
				t.Fatal(err)
			}

			answers = bufio.NewReader(c)
		}
	}
	info := func(key, value string) []byte {
		b, err := json.Marshal(map[string]any{"ver": 1, "info": map[string]any{"reason": "saved-session", key: value}})
		if err != nil {
			t.Fatal(err)
		}

		return b
	}
	for _, v := range append(hostile, strings.Repeat("y", 10_000)) {
		for part := range 6 {
			parts := []string{"id", "r", "a", "1", "c", "2013"}
			parts[part] = v
			send(strings.Join(parts, "/"), info("appName", "Firefox"))
			send(strings.Join(parts, "/"), []byte("no JSON: it goes to the quarantine"))
		}

		send(v, info("appName", "Firefox"))
		for _, key := range append(schema.DimNames[:], "revision", "OS") {
			send("id", info(key, v))
		}
	}

	s.Stop(t)
	if stored < 100 {
		t.Errorf("only %d submissions were accepted", stored)
	}
	depth := map[string]int{layout.PublishedDir: 5, layout.QuarantineDir: 6, layout.StateDir: 2} // state/stats/<raw log>.json
	err = filepath.WalkDir(around, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}

		rel, err := filepath.Rel(dir, path)
		if err != nil || strings.HasPrefix(rel, "..") {
			t.Errorf("%s is outside the data folder", path)
			return err
		}

		parts := strings.Split(rel, string(filepath.Separator))
		if n, ok := depth[parts[0]]; !ok || len(parts) != n+1 {
			t.Errorf("%s is in an unexpected place", rel)
		}
		for _, p := range parts {
			if strings.HasPrefix(p, ".") || strings.ContainsAny(p, "\\\x00\n%") {
				t.Errorf("%q has a bad name", rel)
			}
		}

		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
