package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/revisions"
)

// maxPageBytes is what the page may have without the editor's library, which is loaded when
// somebody opens the editor; and all of it, as it is sent.
const maxPageBytes = 400_000

// The page's policy forbids what the files must not have.
func TestFilesFollowThePolicy(t *testing.T) {
	total, sent := 0, 0
	for name, text := range Files() {
		sent += len(newFile(text).compressed)
		if !strings.HasPrefix(name, "/vendor/codemirror/") {
			total += len(text)
		}
		if strings.HasPrefix(name, "/vendor/") {
			continue
		}
		for _, forbidden := range []string{`innerHTML`, `outerHTML`, `insertAdjacentHTML`, `document.write`, `eval(`, `new Function`, `setAttribute("style"`, `style:`} {
			if strings.Contains(string(text), forbidden) && strings.HasSuffix(name, ".js") {
				t.Errorf("%s has %s", name, forbidden)
			}
		}
		// export.js writes a file to send by mail, which has its own style.
		if strings.HasSuffix(name, ".html") && regexp.MustCompile(`<style|style=|<script>|\son\w+=`).Match(text) {
			t.Errorf("%s has scripts or styles inside", name)
		}
		for _, url := range regexp.MustCompile(`https?://[\w.-]+`).FindAllString(string(text), -1) {
			if url != "http://www.w3.org" {
				t.Errorf("%s names %s: nothing comes from the network", name, url)
			}
		}
	}
	if total > maxPageBytes || sent > maxPageBytes {
		t.Errorf("the page has %d bytes, all of it as it is sent %d: at most %d", total, sent, maxPageBytes)
	}
	t.Logf("the page has %d bytes, all of it as it is sent %d", total, sent)
}

func TestHandler(t *testing.T) {
	handler := Handler()
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/", nil))
	header := answer.Header()
	if answer.Code != http.StatusOK || header.Get("Content-Type") != "text/html; charset=utf-8" {
		t.Errorf("headers: %v", header)
	}

	zipped := httptest.NewRequest(http.MethodGet, "/main.js", nil)
	zipped.Header.Set("Accept-Encoding", "gzip, br")
	answer = httptest.NewRecorder()
	handler.ServeHTTP(answer, zipped)
	unpacked, err := gzip.NewReader(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(unpacked); err != nil || !bytes.Equal(text, Files()["/main.js"]) {
		t.Errorf("main.js is sent as %q, %v", text, err)
	}

	again := httptest.NewRequest(http.MethodGet, "/", nil)
	again.Header.Set("If-None-Match", header.Get("ETag"))
	answer = httptest.NewRecorder()
	handler.ServeHTTP(answer, again)
	if answer.Code != http.StatusNotModified {
		t.Errorf("again: %d", answer.Code)
	}
}

// vendored is a row of vendor/packages.json.
type vendored struct {
	Name, Version, License, Integrity string
	Files                             map[string]string // SHA-256 by path in the package
}

func packages(t *testing.T) (all []vendored) {
	t.Helper()
	text, err := os.ReadFile("vendor/packages.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// The files of npm packages are the ones that packages.json names, and no others.
func TestVendoredFiles(t *testing.T) {
	named := map[string]bool{filepath.FromSlash("vendor/packages.json"): true}
	for _, p := range packages(t) {
		if p.Version == "" || p.License == "" || p.Integrity == "" {
			t.Errorf("%s: version, licence or integrity is missing", p.Name)
		}
		for name, want := range p.Files {
			file := filepath.Join("vendor", p.Name, filepath.FromSlash(name))
			named[file] = true
			if text, err := os.ReadFile(file); err != nil || sha(text) != want {
				t.Errorf("%s is not the file that packages.json names (%v)", file, err)
			}
		}
	}
	err := filepath.WalkDir("vendor", func(name string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !named[name] {
			t.Errorf("%s is not in packages.json", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func sha(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// nodePackages returns the folder of the npm packages that .ci/node installs; the test is
// skipped without it, and fails in CI.
func nodePackages(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip(err)
	}
	if own := os.Getenv("XDG_CACHE_HOME"); own != "" {
		cache = own
	}
	dir := filepath.Join(cache, "telemetry-server", "node", "node_modules")
	if _, err := os.Stat(filepath.Join(dir, "playwright-core")); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("CI skips nothing: .ci/node has not installed the packages: %v", err)
		}
		t.Skip("npm packages are missing: .ci/node installs them")
	}
	return dir
}

// TypeScript finds no mistake in our modules.
func TestTypes(t *testing.T) {
	dir := nodePackages(t)
	modules, err := filepath.Glob("web/*.js")
	if err != nil {
		t.Fatal(err)
	}
	arguments := append([]string{filepath.Join(dir, "typescript", "bin", "tsc"), "--noEmit", "--allowJs", "--checkJs", "--target", "es2023", "--lib", "es2023,dom,dom.iterable",
		"--module", "esnext", "--moduleResolution", "bundler", "--strictNullChecks", "--noImplicitThis"}, modules...)
	if out, err := exec.CommandContext(t.Context(), "node", arguments...).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The page's bounds of buckets are the product's.
func TestBounds(t *testing.T) {
	nodePackages(t)
	type bounds struct {
		Bucketing string
		Bounds    []int
	}
	cases := []bounds{}
	for _, of := range []struct {
		kind              string
		low, high, amount int
	}{{"exponential", 1, 10000, 50}, {"exponential", 1, 2147483646, 100}, {"exponential", 50, 60, 10}, {"exponential", 1, 3, 3}, {"linear", 1, 100, 102}, {"linear", 1, 1000, 7}, {"boolean", 1, 2, 3}, {"enumerated", 1, 4, 5}} {
		kind, _ := revisions.ParseKind(of.kind)
		definition, err := revisions.NewDefinition("X", kind, of.low, of.high, of.amount)
		if err != nil {
			t.Fatal(err)
		}
		cases = append(cases, bounds{fmt.Sprintf("%s %d to %d", of.kind, of.low, of.high), definition.Bounds()})
	}
	for _, kind := range []revisions.Kind{revisions.Timing, revisions.Memory} {
		definition := revisions.NewGlean("x", kind)
		cases = append(cases, bounds{fmt.Sprintf("%s %d to %d", kind, definition.Low, definition.High), definition.Bounds()})
	}
	text, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}

	const script = `import { boundsOf } from "./web/stats.js";
		for (const { Bucketing, Bounds } of JSON.parse(process.argv[1])) {
			const got = String(boundsOf(Bucketing, Bounds.length));
			if (got !== String(Bounds)) throw new Error(Bucketing + ": " + got + ", want " + Bounds);
		}
		if (boundsOf("unknown", 5) !== null || boundsOf("exponential", 5) !== null) throw new Error("bounds of what has none");`
	if out, err := exec.CommandContext(t.Context(), "node", "--input-type=module", "--eval", script, string(text)).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// The vendored files are those of the npm registry. It is asked in CI only.
func TestVendoredIsPublished(t *testing.T) {
	if os.Getenv("CI") != "true" {
		t.Skip("in CI only")
	}
	for _, p := range packages(t) {
		dir := t.TempDir()
		pack := exec.CommandContext(t.Context(), "npm", "pack", "--json", p.Name+"@"+p.Version)
		pack.Dir = dir
		out, err := pack.Output()
		if err != nil {
			t.Fatalf("npm pack %s: %v", p.Name, err)
		}
		var packed []struct{ Filename, Integrity string }
		if err := json.Unmarshal(out, &packed); err != nil || len(packed) != 1 {
			t.Fatalf("npm pack: %v %s", err, out)
		}
		if packed[0].Integrity != p.Integrity {
			t.Errorf("%s: the registry has %s, packages.json %s", p.Name, packed[0].Integrity, p.Integrity)
		}

		if out, err := exec.CommandContext(t.Context(), "tar", "-xzf", filepath.Join(dir, packed[0].Filename), "-C", dir).CombinedOutput(); err != nil {
			t.Fatalf("tar: %v %s", err, out)
		}
		for name, want := range p.Files {
			if text, err := os.ReadFile(filepath.Join(dir, "package", filepath.FromSlash(name))); err != nil || sha(text) != want {
				t.Errorf("%s of the package differs (%v)", name, err)
			}
		}
	}
}
