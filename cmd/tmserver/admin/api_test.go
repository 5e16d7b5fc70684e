package admin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/pprof/profile"

	"github.com/aitgithub/telemetry-server/engine/jobs"
	"github.com/aitgithub/telemetry-server/engine/jobs/api"
	"github.com/aitgithub/telemetry-server/engine/jobs/jobstest"
)

// document is what the tests read of openapi.json.
type document struct {
	Paths map[string]map[string]struct {
		Responses map[string]struct {
			Content map[string]struct{ Schema schema }
		}
	}
	Components struct{ Schemas map[string]schema }
}

// schema is a JSON schema, as far as the document has them.
type schema struct {
	Ref                  string `json:"$ref"`
	Type                 string
	Enum                 []string
	Items                *schema
	Properties           map[string]schema
	Required             []string
	AdditionalProperties json.RawMessage
}

// check returns what a value has otherwise than the schema.
func (d *document) check(s schema, value any, at string) (faults []string) {
	if s.Ref != "" {
		s = d.Components.Schemas[strings.TrimPrefix(s.Ref, "#/components/schemas/")]
	}
	fault := func(format string, args ...any) { faults = append(faults, at+": "+fmt.Sprintf(format, args...)) }

	switch value := value.(type) {
	case string:
		if s.Type != "string" || len(s.Enum) > 0 && !slices.Contains(s.Enum, value) {
			fault("%q is no %s of %q", value, s.Type, s.Enum)
		}
	case float64:
		if s.Type != "integer" && s.Type != "number" {
			fault("a number is no %q", s.Type)
		}
	case bool:
		if s.Type != "boolean" {
			fault("a boolean is no %q", s.Type)
		}
	case []any:
		if s.Type != "array" {
			fault("an array is no %q", s.Type)
			break
		}
		for i, item := range value {
			faults = append(faults, d.check(*s.Items, item, fmt.Sprintf("%s[%d]", at, i))...)
		}
	case map[string]any:
		if s.Type != "object" {
			fault("an object is no %q", s.Type)
		}
		for name, member := range value {
			property, ok := s.Properties[name]
			if ok {
				faults = append(faults, d.check(property, member, at+"."+name)...)
			} else if string(s.AdditionalProperties) == "false" {
				fault("%s is not declared", name)
			}
		}
		for _, name := range s.Required {
			if _, ok := value[name]; !ok {
				fault("%s is missing", name)
			}
		}
	default:
		fault("%v has no type", value)
	}
	return faults
}

// server is an API at work.
type server struct {
	*httptest.Server
	document document
	covered  map[string]bool // operations with their codes
}

// newServer returns a server whose scripts are those texts, for the stand-in for tmrun.
func newServer(t *testing.T, queue int, scripts map[string]string) *server {
	t.Helper()
	dir := t.TempDir()
	for name, text := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	options := jobs.DefaultOptions()
	options.Dir = filepath.Join(dir, "jobs")
	options.Queue = queue
	options.Program = jobstest.Program
	manager, err := jobs.Open(options)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := jobs.OpenScripts(t.Context(), dir, manager)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { manager.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		manager.Close()
	})

	mux := http.NewServeMux()
	(&API{Manager: manager, Scripts: folder}).Register(mux)
	made := &server{Server: httptest.NewServer(Guard{Listen: "127.0.0.1:1", Now: time.Now}.Wrap(mux)), covered: map[string]bool{}}
	t.Cleanup(made.Close)
	if err := json.Unmarshal(openAPI, &made.document); err != nil {
		t.Fatal(err)
	}
	return made
}

// ask makes a request and compares the answer with the document. It returns the answer's
// body, also as JSON if it is.
func (s *server) ask(t *testing.T, code int, method, pattern, path, body string) (text []byte, value map[string]any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != code {
		t.Fatalf("%s %s: %d, want %d\n%s", method, path, answer.StatusCode, code, text)
	}

	s.covered[fmt.Sprintf("%s %s %d", method, pattern, code)] = true
	response, ok := s.document.Paths[pattern][strings.ToLower(method)].Responses[fmt.Sprint(code)]
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	content, declared := response.Content[kind]
	if !ok || !declared {
		t.Errorf("%s %s: code %d with type %q is not declared", method, pattern, code, kind)
	}
	if kind != "application/json" {
		return text, nil
	}
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	for _, fault := range s.document.check(content.Schema, value, method+" "+pattern) {
		t.Error(fault)
	}
	return text, value
}

// writeProfile writes what tmrun would of a script that was one second in its second line
// and two in its fourth, and returns the file's path.
func writeProfile(t *testing.T) string {
	t.Helper()
	function := &profile.Function{ID: 1, Name: "map", Filename: "scripts/good.js"}
	sampled := &profile.Profile{SampleType: []*profile.ValueType{{Type: "cpu", Unit: "nanoseconds"}}, Function: []*profile.Function{function}}
	for id, line := range []int64{2, 4, 4} {
		location := &profile.Location{ID: uint64(id + 1), Line: []profile.Line{{Function: function, Line: line}}}
		sampled.Location = append(sampled.Location, location)
		sampled.Sample = append(sampled.Sample, &profile.Sample{Location: []*profile.Location{location}, Value: []int64{1e9}})
	}

	var text bytes.Buffer
	if err := sampled.Write(&text); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(name, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// TestOpenAPI asks for everything that openapi.json describes, and compares the answers.
func TestOpenAPI(t *testing.T) {
	sampled := writeProfile(t)
	s := newServer(t, 1, map[string]string{
		"good.js": `{"title":"Good","description":"D","schedule":"@daily","filter":{"version":1},"chart":{"type":"bars"},"alert":{"above":3},"columns":["a"],"script_sha256":"x"}
echo '{"input":{"segments":1,"bytes":2,"sha256":"y"}}' >&3; echo '{"stats":{"records":1,"counters":{"n":1}}}' >&3; echo '{"key":1,"value":4}' >"$output"; [ -z "$profile" ] || cp ` + sampled + ` "$profile"`,
		"far.js":    `{"imports":["/elsewhere/imported.js"]}`,
		"wait.js":   "{}\necho '{\"progress\":{\"tasks\":1}}' >&3; cat",
		"broken.js": `{"error":"it does not compile"}`,
	})

	const scripts, job, list = "/api/v1/scripts", "/api/v1/jobs/{id}", "/api/v1/jobs"
	s.ask(t, 200, "GET", "/api/v1/openapi.json", "/api/v1/openapi.json", "")
	s.ask(t, 200, "GET", "/api/v1/role", "/api/v1/role", "")

	// A script of the folder, from its start to its result.
	_, started := s.ask(t, 202, "POST", list, list, `{"script":"good.js","profile":true}`)
	path := list + "/" + started["id"].(string)
	events, _ := s.ask(t, 200, "GET", job+"/events", path+"/events", "")
	if !strings.Contains(string(events), "event: end\ndata: {") {
		t.Errorf("events\n%s", events)
	}
	if _, run := s.ask(t, 200, "GET", job, path, ""); run["state"] != "done" {
		t.Errorf("%v", run)
	}
	s.ask(t, 200, "GET", job+"/log", path+"/log", "")
	if rows, _ := s.ask(t, 200, "GET", job+"/results/{result}", path+"/results/result.jsonl", ""); string(rows) != `{"key":1,"value":4}`+"\n" {
		t.Errorf("rows %q", rows)
	}
	if profiled, _ := s.ask(t, 200, "GET", job+"/profile", path+"/profile", ""); string(profiled) != `{"seconds":3,"lines":[{"file":"good.js","line":4,"seconds":2},{"file":"good.js","line":2,"seconds":1}]}`+"\n" {
		t.Errorf("profile %s", profiled)
	}
	s.ask(t, 200, "GET", "/api/v1/declarations", "/api/v1/declarations", "")
	s.ask(t, 200, "GET", scripts+"/{name}/source", scripts+"/good.js/source", "")
	s.ask(t, 200, "GET", scripts, scripts, "")
	s.ask(t, 200, "GET", scripts+"/{name}", scripts+"/good.js", "")
	s.ask(t, 200, "GET", list, list+"?script=good.js", "")

	// A backfill, which is done again, and cancelled. Nothing advances it here.
	const backfill = scripts + "/{name}/backfill"
	s.ask(t, 202, "POST", backfill, scripts+"/good.js/backfill", `{"from":"20150701","to":"20150702"}`)
	s.ask(t, 200, "GET", backfill, scripts+"/good.js/backfill", "")
	if _, ended := s.ask(t, 200, "DELETE", backfill, scripts+"/good.js/backfill", ""); ended["backfill"].(map[string]any)["state"] != "cancelled" {
		t.Errorf("%v", ended)
	}
	s.ask(t, 404, "GET", backfill, scripts+"/none.js/backfill", "")
	s.ask(t, 404, "DELETE", backfill, scripts+"/none.js/backfill", "")
	for name, body := range map[string]string{"none.js": `{"from":"20150701","to":"20150702"}`, "good.js": `{"from":"20150702","to":"20150701"}`, "broken.js": `{}`} {
		s.ask(t, 400, "POST", backfill, scripts+"/"+name+"/backfill", body)
	}

	// A full queue: one runs, one waits.
	_, first := s.ask(t, 202, "POST", list, list, `{"script":"wait.js"}`)
	s.await(t, list+"/"+first["id"].(string)+"/events", "running")
	_, second := s.ask(t, 202, "POST", list, list, `{"files":{"a.js":"{}"},"main":"a.js"}`)
	s.ask(t, 429, "POST", list, list, `{"script":"good.js"}`)
	for _, run := range []map[string]any{second, first} {
		s.ask(t, 200, "DELETE", job, list+"/"+run["id"].(string), "")
	}

	// Mistakes.
	for _, body := range []string{`{"script":"none.js"}`, `{"script":"broken.js"}`, `{}`, `{`, `{"unknown":1}`, `{"script":"../good.js"}`} {
		s.ask(t, 400, "POST", list, list, body)
	}
	s.ask(t, 404, "GET", scripts+"/{name}", scripts+"/none.js", "")
	s.ask(t, 404, "GET", scripts+"/{name}/source", scripts+"/none.js/source", "")
	s.ask(t, 400, "GET", scripts+"/{name}/source", scripts+"/far.js/source", "")
	s.ask(t, 404, "GET", job+"/profile", list+"/x/profile", "")
	s.ask(t, 404, "GET", job, list+"/x", "")
	s.ask(t, 404, "DELETE", job, list+"/x", "")
	s.ask(t, 404, "GET", job+"/events", list+"/x/events", "")
	s.ask(t, 404, "GET", job+"/log", list+"/x/log", "")
	s.ask(t, 404, "GET", job+"/results/{result}", path+"/results/log", "")

	// All that is described was seen, and all routes are described. The guard's tests see
	// the codes 401 and 403.
	for pattern, operations := range s.document.Paths {
		for method, operation := range operations {
			name := strings.ToUpper(method) + " " + pattern
			if !slices.ContainsFunc(routes, func(r route) bool { return r.pattern == name }) {
				t.Errorf("%s is described, and no route", name)
			}
			for code := range operation.Responses {
				if code != "401" && code != "403" && !s.covered[name+" "+code] {
					t.Errorf("%s: code %s was not seen", name, code)
				}
			}
		}
	}
	for _, route := range routes {
		method, pattern, _ := strings.Cut(route.pattern, " ")
		if _, ok := s.document.Paths[pattern][strings.ToLower(method)]; !ok {
			t.Errorf("%s is not in openapi.json", route.pattern)
		}
	}
}

// await follows a job until it has a state.
func (s *server) await(t *testing.T, path string, want api.State) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()

	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		var run api.Run
		text, ok := strings.CutPrefix(lines.Text(), "data: ")
		if ok && json.Unmarshal([]byte(text), &run) == nil && run.State == want {
			return
		}
	}
	t.Fatalf("%s: the job was never %s", path, want)
}

// TestFormsCannotStartJobs: a form of another site sends one of these types.
func TestFormsCannotStartJobs(t *testing.T) {
	s := newServer(t, 1, nil)
	for _, kind := range []string{"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"} {
		answer, err := s.Client().Post(s.URL+"/api/v1/jobs", kind, strings.NewReader(`{"files":{"a.js":"{}"},"main":"a.js"}`))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %d", kind, answer.StatusCode)
		}
	}
}
