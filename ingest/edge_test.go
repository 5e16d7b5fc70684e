package ingest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// edgeRows returns the first column of the table in docs/clients.md.
func edgeRows(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../docs/clients.md")
	if err != nil {
		t.Fatal(err)
	}

	_, table, _ := strings.Cut(string(text), "| the edge | tmserver |\n| --- | --- |\n")
	rows := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			break
		}
		rows[strings.Trim(cells[1], " `")] = true
	}
	return rows
}

// TestEdgeMatrix sends a request, or several, for each row of the table in
// docs/clients.md, or names the test that has it.
func TestEdgeMatrix(t *testing.T) {
	const generic, id = "/submit/org-example-app/baseline/1/", "2c3a0767-d84a-4d02-8a92-fa54a3376049"
	const dims = "/main/Firefox/153.8.0/esr/20261117185949"
	with := func(method, path, headers, body string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s", method, path, headers, len(body), body)
	}
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n" }
	ok := func(path, body string) string { return "200 OK stored " + path + "=" + body }
	stored := "/org-example-app/baseline/1/" + id
	big := strings.Repeat("x", 1001)
	long := strings.Repeat("p", rawlog.MaxPathBytes)
	gzipped, zstd := "\x1f\x8b\x08...", "\x28\xb5\x2f\xfd..."

	for _, tt := range []struct{ row, request, want string }{
		{"POST of a generic path", with("POST", generic+id, "", "{}"), ok(stored, "{}")},
		{"PUT like POST", with("PUT", generic+id, "", "{}"), ok(stored, "{}")},
		{"PUT like POST", with("PUT", "/submit/telemetry/"+id+dims, "", "{}"), ok(id+dims, "{}")},
		{"POST of a telemetry path", with("POST", "/submit/telemetry/"+id+dims, "", "{}"), ok(id+dims, "{}")},
		{"POST of a telemetry path", with("POST", "/submit/telemetry/"+id+"/new-type/Firefox/1/esr/2", "", "{}"), ok(id+"/new-type/Firefox/1/esr/2", "{}")},
		{"query", with("POST", "/submit/telemetry/"+id+dims+"?v=4", "", "{}"), ok(id+dims, "{}")},
		{"query", with("POST", generic+id+"?a=/b", "", "{}"), ok(stored, "{}")},
		{"a namespace that nobody configured", with("POST", "/submit/0-x/y/7/z", "", "{}"), ok("/0-x/y/7/z", "{}")},
		{"a document ID that is no UUID", with("POST", generic+"%2F..%00", "", "{}"), ok("/org-example-app/baseline/1/%2F..%00", "{}")},
		{"a document ID that is no UUID", with("POST", generic, "", "{}"), "404 Not Found"},
		{"headers", with("POST", generic+id, "Cookie: a=b\r\nDNT: 1\r\n", "{}"), ok(stored, "{}")}, // TestHandlerKeepsTheRequest
		{"a header of more than 1 KiB", with("POST", generic+id, "X-Debug-ID: "+big+big+"\r\n", "{}"), ok(stored, "{}")},
		{"a header of other bytes", with("POST", generic+id, "X-Debug-ID: \xff\xe9\r\n", "{}"), ok(stored, "{}")},
		{"submission timestamp", "", "TestClientsAtTheEdge"},
		{"more or fewer dimensions", with("POST", "/submit/telemetry/"+id+dims+"/more", "", "{}"), "404 Not Found"},
		{"more or fewer dimensions", with("POST", "/submit/telemetry/"+id+"/main/Firefox", "", "{}"), "404 Not Found"},
		{"a slash at the end", with("POST", "/submit/telemetry/"+id+dims+"/", "", "{}"), "404 Not Found"},
		{"a slash at the end", with("POST", generic+id+"/", "", "{}"), "404 Not Found"},
		{"Content-Type", with("POST", generic+id, "Content-Type: text/plain;charset=UTF-8\r\n", "{}"), ok(stored, "{}")},
		{"Content-Type", with("POST", "/submit/telemetry/"+id, "Content-Type: application/x-www-form-urlencoded\r\n", "{}"), ok(id, "{}")},
		{"compression", with("POST", generic+id, "Content-Encoding: gzip\r\n", gzipped), ok(stored, gzipped)},
		{"compression", with("POST", generic+id, "", zstd), ok(stored, zstd)},
		{"a bad body", with("POST", generic+id, "", "\x00"), ok(stored, "\x00")},
		{"sslreports", with("POST", "/submit/sslreports", "", "{}"), "404 Not Found"},
		{"stub installer", get("/stub/v8/a/b"), "404 Not Found"},
		{"200", with("POST", generic+id, "", "1"), ok(stored, "1")},
		{"400, a space in the path", with("POST", generic+"a b", "", "1"), "400 400 Bad Request"},
		{"400, a body that ends early", "POST " + generic + id + " HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{}", "400 Body ended early"},
		{"404, a telemetry path elsewhere", with("POST", "/submit/org-example-app/"+id+dims, "", "{}"), "404 Not Found"},
		{"404, a generic path in telemetry", with("POST", "/submit/telemetry/main/4/"+id, "", "{}"), ok("/telemetry/main/4/"+id, "{}")},
		{"404, a generic path in telemetry", with("POST", "/submit/telemetry/main/four/"+id, "", "{}"), "404 Not Found"},
		{"404, a namespace or type of other letters", with("POST", "/submit/Org/baseline/1/"+id, "", "{}"), "404 Not Found"},
		{"404, a namespace or type of other letters", with("POST", "/submit/org/base_line/1/"+id, "", "{}"), "404 Not Found"},
		{"404, a namespace or type of other letters", with("POST", "/submit/"+big[:101]+"/b/1/"+id, "", "{}"), "404 Not Found"},
		{"411", "POST " + generic + id + " HTTP/1.1\r\nHost: x\r\n\r\n", "411 Missing content length"},
		{"411", with("POST", generic+id, "", ""), "411 Missing content length"},
		{"411", "POST " + generic + id + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", ok(stored, "{}")},
		{"413", with("POST", generic+id, "", big), "413 Body is longer than 1000 bytes stored http/org-example-app/baseline/1/too_large:1001:64:%2Forg-example-app%2Fbaseline%2F1%2F" + id + "=" + big},
		{"413", "POST " + generic + id + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n" + big + "\r\n0\r\n\r\n",
			"413 Body is longer than 1000 bytes stored http/org-example-app/baseline/1/too_large:1001:64:%2Forg-example-app%2Fbaseline%2F1%2F" + id + "=" + big},
		{"413", with("POST", generic+id, "", strings.Repeat("y", 9000)), "413 Body is longer than 1000 bytes stored http/org-example-app/baseline/1/too_large:9000:64:%2Forg-example-app%2Fbaseline%2F1%2F" + id + "=" + strings.Repeat("y", keptBytes)},
		{"413, a telemetry path", with("POST", "/submit/telemetry/"+id+dims, "", big), "202 Request too large (1001 bytes). Limit is 1000 bytes. Server will discard submission."},
		{"414", with("POST", generic+long, "", "{}"), "414 Path too long (10267 bytes). Limit is 10240 bytes"},
		{"414, a telemetry path", with("POST", "/submit/telemetry/"+long+"x", "", "{}"), "202 Path too long (10241 bytes). Limit is 10240 bytes"},
		{"405", get(generic + id), "405 Wrong request type"},
		{"405", "HEAD " + generic + id + " HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
		{"405", "HEAD /__lbheartbeat__ HTTP/1.1\r\nHost: x\r\n\r\n", "405"},
		{"405", with("DELETE", generic+id, "", "{}"), "405 Wrong request type"},
		{"429", "", "TestAddressRequests"},
		{"500", "", "TestDiskThatFillsUp"},
		{"507", "", "TestHandlerRefusesBelowTheReserve"},
		{"OPTIONS", with("OPTIONS", generic+id, "Origin: https://x\r\nAccess-Control-Request-Method: POST\r\n", ""), "204"},
		{"OPTIONS", with("OPTIONS", "/submit/telemetry/"+id, "", ""), "204"},
		{"CORS", with("POST", generic+id, "Origin: https://x\r\n", "{}"), ok(stored, "{}")}, // TestCORS
		{"/__heartbeat__", get("/__heartbeat__"), `200 {"status":"ok","checks":{"raw_log":"ok"},"details":{}}`},
		{"/__lbheartbeat__", get("/__lbheartbeat__"), "200 OK"},
		{"204 of a check", get("/__lbheartbeat__"), "200 OK"},
		{"data is kept", "", "TestClientsAtTheEdge"},
		{"/__version__", get("/__version__"), `200 {"build":"","commit":"","source":"https://github.com/aitgithub/telemetry-server","version":""}`},
		{"another check", get("/__heart__"), "404 Not Found"},
		{"HTTP and HTTPS", with("POST", "https://x"+generic+id, "", "{}"), ok(stored, "{}")}, // as a proxy may forward it
		{"repeats", "", "TestRepeatsOfDocuments"},
		{"addresses", "", "TestHandlerKeepsTheCountryOnly"},
	} {
		t.Run(tt.row, func(t *testing.T) {
			if tt.request == "" {
				requireTest(t, tt.want)
				return
			}
			dir := t.TempDir()
			l := ingesttest.Log(t, dir, nil)
			got := exchange(t, testServer(t, dir, l), tt.request)
			l.Close()
			if list := ingesttest.Stored(t, dir); len(list) > 0 {
				got += " stored " + strings.Join(list, ",")
			}
			if strings.TrimSpace(got) != tt.want {
				t.Errorf("got  %.300s\nwant %.300s", got, tt.want)
			}
		})
	}
}

// requireTest requires that a test of that name is there, for a row that it covers.
func requireTest(t *testing.T, name string) {
	t.Helper()
	for _, pattern := range []string{"*_test.go", "worker/*_test.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(source), "\nfunc "+name+"(t *testing.T)") {
				return
			}
		}
	}
	t.Errorf("there is no %s", name)
}

// TestEdgeMatrixIsDocumented compares the rows of TestEdgeMatrix with the table.
func TestEdgeMatrixIsDocumented(t *testing.T) {
	source, err := os.ReadFile("edge_test.go")
	if err != nil {
		t.Fatal(err)
	}
	rows := edgeRows(t)
	if len(rows) < 30 {
		t.Fatalf("%d rows in docs/clients.md", len(rows))
	}
	for row := range rows {
		if !strings.Contains(string(source), "\t\t{\""+row+"\",") {
			t.Errorf("no case for the row %q", row)
		}
	}
	for line := range strings.Lines(string(source)) {
		row, ok := strings.CutPrefix(line, "\t\t{\"")
		if row, _, _ = strings.Cut(row, "\","); ok && !rows[row] {
			t.Errorf("docs/clients.md has no row %q", row)
		}
	}
}

// TestCORS: every answer of a submission path lets a page read it, no other answer does.
func TestCORS(t *testing.T) {
	dir := t.TempDir()
	l := ingesttest.Log(t, dir, nil)
	s := testServer(t, dir, l)
	answer := func(method, path, body string) *http.Response {
		t.Helper()
		r, err := http.NewRequest(method, s.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp
	}

	const path = "/submit/org-example-app/baseline/1/id"
	check := func(method, path, body string, code int) {
		t.Helper()
		resp := answer(method, path, body)
		if got := resp.Header.Get("Access-Control-Allow-Origin"); resp.StatusCode != code || got != "*" {
			t.Errorf("%s %s: %d, origin %q; want %d, *", method, path, resp.StatusCode, got, code)
		}
	}
	check("POST", path, "{}", 200)
	check("PUT", path, "", 411)
	check("POST", path, strings.Repeat("x", 1001), 413)
	check("POST", "/submit/telemetry/id", strings.Repeat("x", 1001), 202)
	check("POST", "/submit/batch", "a", 400)
	check("POST", "/submit/a", "{}", 404)
	check("GET", path, "", 405)
	check("OPTIONS", path, "", 204)
	l.Close()
	check("POST", path, "{}", 503)

	preflight := answer("OPTIONS", path, "")
	for _, header := range []string{"content-type", "content-encoding", "date", "x-telemetry-agent", "x-debug-id", "x-source-tags"} {
		if !strings.Contains(strings.ToLower(preflight.Header.Get("Access-Control-Allow-Headers")), header) {
			t.Errorf("a page may not send %s", header)
		}
	}
	if got := preflight.Header.Get("Access-Control-Allow-Methods"); !strings.Contains(got, "POST") || !strings.Contains(got, "PUT") {
		t.Errorf("methods %q", got)
	}
	if got := answer("GET", "/__lbheartbeat__", "").Header.Get("Access-Control-Allow-Origin"); got != "" {
		t.Errorf("the heartbeat allows the origin %q", got)
	}
	if resp := answer("GET", "/__heartbeat__", ""); resp.StatusCode != 503 {
		t.Errorf("heartbeat of a raw log that is closed: %d", resp.StatusCode)
	}
}
