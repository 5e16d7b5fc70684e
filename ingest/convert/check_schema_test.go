package convert

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
)

const sharedSchemas = "../../../shared/data/pipeline-schemas/schemas"

// mozillaSchemas returns a Checker of the shared schemas that quarantines.
func mozillaSchemas(t testing.TB) *schemas.Checker {
	t.Helper()
	ingesttest.Shared(t, "pipeline-schemas/LICENSE.txt") // skips the test if there are none
	checker, err := schemas.Load(sharedSchemas)
	if err != nil {
		t.Fatal(err)
	}
	checker.Quarantine = true
	return checker
}

// withSchemas returns a Converter that checks.
func withSchemas(checker *schemas.Checker) *Converter {
	options := DefaultOptions()
	options.Schemas = checker
	return New(ingesttest.Definitions{}, options)
}

// TestSamplesBySchema: the verdict of each sample that has a schema is that of its file's
// name, and the next time the same. A sample is unchecked only if the folder has no schema of
// its namespace, type and version: the shared data has 12 of Mozilla's 125. With all of them
// each of the 151 samples has one, and the verdicts are the names, too (2026-11-29).
func TestSamplesBySchema(t *testing.T) {
	checker := mozillaSchemas(t)
	for _, sample := range ingesttest.Samples(t) {
		sub := sample.Submission()
		c := withSchemas(checker)
		unknown := checker.Unknown.Load()
		_, err := c.Convert(t.Context(), &sub)
		namespace, name, _ := strings.Cut(sample.Name, "/")
		parts := strings.Split(name, ".")
		file := filepath.Join(sharedSchemas, namespace, parts[0], parts[0]+"."+parts[1]+".schema.json")
		_, missing := os.Stat(file)
		if checker.Unknown.Load() > unknown {
			if missing == nil {
				t.Errorf("%s is unchecked, although there is %s", sample.Name, file)
			}
			continue
		}
		if missing != nil && namespace == "telemetry" {
			t.Errorf("%s is checked: %v", sample.Name, missing)
		}
		if pass := err == nil; pass != sample.Pass {
			t.Errorf("%s: %v", sample.Name, err)
		}

		again := withSchemas(checker)
		_, second := again.Convert(t.Context(), &sub)
		if fmt.Sprint(err) != fmt.Sprint(second) || fmt.Sprint(c.FailedPlaces) != fmt.Sprint(again.FailedPlaces) {
			t.Errorf("%s: %v, then %v", sample.Name, err, second)
		}
	}
	if checker.Valid.Load() == 0 || checker.Invalid.Load() == 0 {
		t.Error("nothing was checked:", checker.Valid.Load(), checker.Invalid.Load())
	}
	t.Logf("valid %d, invalid %d, without schema %d (each twice but these)", checker.Valid.Load(), checker.Invalid.Load(), checker.Unknown.Load())
}

// TestClientsBySchema: what current clients send is valid, but for the heartbeat, which a
// test made up.
func TestClientsBySchema(t *testing.T) {
	checker := mozillaSchemas(t)
	for _, request := range ingesttest.ClientRequests(t) {
		if request.Body == nil {
			continue
		}
		sub := request.Submission()
		c := withSchemas(checker)
		if _, err := c.Convert(t.Context(), &sub); (err == nil) == strings.HasPrefix(request.Name, "telemetry/heartbeat") {
			t.Errorf("%s: %v %v", request.Name, err, c.FailedPlaces)
		}
	}
	t.Logf("valid %d, without schema %d", checker.Valid.Load(), checker.Unknown.Load())
}

// TestSchemaErrors: what fails is said with pointer and keyword, and quarantined, counted or
// not looked at.
func TestSchemaErrors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my-app", "baseline")
	file := filepath.Join(dir, "baseline.1.schema.json")
	write := func(text string) {
		if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	write(`{"type":"object","required":["a"],"properties":{
		"b/c":{"items":{"type":"integer"}}, "d":{"pattern":"^(a+)+(?=!)$"}, "n":{"minimum":1}}}`)
	checker, err := schemas.Load(filepath.Dir(filepath.Dir(dir)))
	if err != nil {
		t.Fatal(err)
	}
	checker.Quarantine = true

	convert := func(text string) (*Converter, error) {
		sample := ingesttest.Sample{Name: "my-app/baseline.1.x", Text: []byte(text)}
		sub := sample.Submission()
		c := withSchemas(checker)
		_, err := c.Convert(t.Context(), &sub)
		return c, err
	}
	for text, want := range map[string]string{
		`{"a":1}`:              "",
		`{"b/c":[1,"x",true]}`: `3 places fail: "" fails "required", "/b~1c/1" fails "type", "/b~1c/2" fails "type"`,
		`{"a":1,"d":"` + strings.Repeat("a", 64) + `"}`:          `1 places fail: "/d" fails "pattern"`,
		`{"a":1,"n":[{"z":1e999999999}]}`:                        `1 places fail: "/n/0/z" fails "number"`,
		`{"a":1,"n":` + strings.Repeat("9", 500) + `}`:           `1 places fail: "/n" fails "number"`,
		`{"a":1,"b/c":[` + strings.Repeat(`"x",`, 500) + `"x"]}`: `501 places fail`,
	} {
		c, err := convert(text)
		rejection, _ := errors.AsType[*Rejection](err)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (rejection == nil || rejection.Class != ClassSchema || !strings.Contains(rejection.Message, want)):
			t.Errorf("%.100s: %v, want %s", text, err, want)
		case len(c.FailedPlaces) > schemas.MaxPlaces:
			t.Errorf("%d places", len(c.FailedPlaces))
		}
	}

	// A broken folder keeps the schemas of before.
	write(`{"type":"nothing"}`)
	if err := checker.Reload(); err == nil || !strings.Contains(err.Error(), "my-app/baseline/baseline.1.schema.json") {
		t.Error(err)
	}
	if _, err := convert(`{}`); err == nil {
		t.Error("no schema is in use")
	}
	write(`{}`)
	if err := checker.Reload(); err != nil {
		t.Error(err)
	}
	if _, err := convert(`{}`); err != nil {
		t.Error(err)
	}

	// Counted only.
	write(`false`)
	if err := checker.Reload(); err != nil {
		t.Fatal(err)
	}
	checker.Quarantine = false
	invalid := checker.Invalid.Load()
	if c, err := convert(`{}`); err != nil || len(c.FailedPlaces) != 1 || checker.Invalid.Load() != invalid+1 {
		t.Error(err, c.FailedPlaces)
	}

	// Nothing of the sample is looked at; /validate looks at everything.
	checker.Quarantine, checker.Sample = true, 0
	if _, err := convert(`{}`); err != nil {
		t.Error(err)
	}
}

// TestSchemaBudget: a ping that would be checked for hours fails as "limit", each time.
func TestSchemaBudget(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "my-app", "baseline")
	text := `{"$schema":"http://json-schema.org/draft-04/schema#","properties":{
		"texts":{"items":{"pattern":"^(a+)+(?=!)$"}},
		"names":{"patternProperties":{"^(a+)+(?=!)$":{}}},
		"nested":{"$ref":"#/definitions/twice"}},
		"definitions":{"twice":{"anyOf":[
			{"properties":{"a":{"$ref":"#/definitions/twice"}},"required":["z"]},
			{"properties":{"a":{"$ref":"#/definitions/twice"}},"required":["y"]}]}}}`
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "baseline.1.schema.json"), []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	checker, err := schemas.Load(filepath.Dir(filepath.Dir(dir)))
	if err != nil {
		t.Fatal(err)
	}

	slow := `"` + strings.Repeat("a", 64)
	var names strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&names, `%s%d":1,`, slow, i)
	}
	check := func(name, body, want string) {
		t.Helper()
		places, _, known := checker.Check(schemas.Subject{Namespace: "my-app", Type: "baseline", Version: "1"}, []byte(body))
		if got := fmt.Sprint(places); got != want || !known {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	nested := func(depth int) string {
		return `{"nested":` + strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth+1)
	}
	const limit = `["" fails "limit"]`
	check("texts", `{"texts":[`+strings.Repeat(slow+`",`, 1000)+slow+`"]}`, limit)
	check("names", `{"names":{`+names.String()+`"z":1}}`, limit)
	check("nested twice at each depth", nested(40), limit)
	check("deep", nested(5000), limit)
	check("elements", `[`+strings.Repeat("1,", 300_001)+`1]`, limit)
	check("after all these", `{"texts":["b"]}`, `["/texts/0" fails "pattern"]`)
	check("valid", `{"texts":[]}`, `[]`)
}

// BenchmarkSchemas has the cost of checks for a main ping of 383 kB.
func BenchmarkSchemas(b *testing.B) {
	checker := mozillaSchemas(b)
	for _, request := range ingesttest.ClientRequests(b) {
		if request.Body == nil || !strings.Contains(request.Name, "main") && !strings.Contains(request.Name, "metrics") {
			continue
		}
		sub := request.Submission()
		for name, c := range map[string]*Converter{"none": withSchemas(nil), "all": withSchemas(checker)} {
			b.Run(request.Name+"/"+name, func(b *testing.B) {
				for b.Loop() {
					record, err := c.Convert(b.Context(), &sub)
					if err != nil {
						b.Fatal(err)
					}
					b.SetBytes(int64(record.RawBytes))
				}
			})
		}
	}
}
