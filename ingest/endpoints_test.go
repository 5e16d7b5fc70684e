package ingest

import (
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// statusTable returns the status table of doc.go, a paragraph a string.
func statusTable(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}

	_, rest, _ := strings.Cut(string(source), "// # Status table\n//\n")
	table, _, ok := strings.Cut(rest, "//\n// # ")
	if !ok {
		t.Fatal("doc.go has no status table")
	}

	var paragraphs []string
	for line := range strings.Lines(table) {
		line = strings.TrimPrefix(line, "//\t")
		if strings.HasPrefix(line, " ") && len(paragraphs) > 0 {
			paragraphs[len(paragraphs)-1] += line
		} else {
			paragraphs = append(paragraphs, line)
		}
	}

	return paragraphs
}

// TestEndpointsAreDocumented compares the table of endpoints with the status table
// (which another test compares with docs/operating.md) and with the router.
func TestEndpointsAreDocumented(t *testing.T) {
	table := statusTable(t)
	for _, e := range endpoints {
		path := regexp.MustCompile(`[ ,]` + regexp.QuoteMeta(e.doc) + `[,\n]`)
		documented := func(paragraph string) bool {
			return strings.HasPrefix(paragraph, strings.Join(e.methods, ", ")+" ") && path.MatchString(paragraph)
		}
		if !slices.ContainsFunc(table, documented) {
			t.Errorf("the status table has no %v %s", e.methods, e.doc)
		}
	}

	// With every option set, the router has exactly the rows.
	o := DefaultHandlerOptions()
	o.Schema = schema.Default()
	o.Definitions = oneRevision("{}")
	o.Status = func() (any, bool) { return nil, true }
	o.Health = http.NotFoundHandler()
	o.Converter = func() *convert.Converter { return convert.New(oneRevision("{}"), convert.DefaultOptions()) }
	h := NewHandler(ingesttest.Log(t, t.TempDir(), nil), o).(*observer)
	var got, want []string
	chi.Walk(h.router(), func(method, route string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		got = append(got, method+" "+route)
		return nil
	})

	for _, e := range endpoints {
		for _, method := range e.methods {
			want = append(want, method+" "+e.pattern)
		}
	}

	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the router has %q, the table %q", got, want)
	}
}

// TestEveryAnswerIsInTheTable checks that the status table has the code of each
// answer in status.go.
func TestEveryAnswerIsInTheTable(t *testing.T) {
	source, err := os.ReadFile("status.go")
	if err != nil {
		t.Fatal(err)
	}

	codes := map[string]int{}
	for code := range 600 {
		codes["Status"+strings.ReplaceAll(http.StatusText(code), " ", "")] = code
	}

	answers := regexp.MustCompile(`= answer\{http\.(Status\w+)`).FindAllStringSubmatch(string(source), -1)
	if len(answers) < 10 {
		t.Fatalf("%d answers in status.go", len(answers))
	}

	table := strings.Join(statusTable(t), "")
	for _, a := range answers {
		if !strings.Contains(table, fmt.Sprintf("\n  %d ", codes[a[1]])) {
			t.Errorf("the status table has no row of %s", a[1])
		}
	}
}
