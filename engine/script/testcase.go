package script

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dop251/goja"

	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// TestCase is one test(name, {…}) of a script's test file.
type TestCase struct {
	Name string
	// Definitions are those of all revisions; nil: the case names none.
	Definitions *revisions.Spec
	Records     []TestRecord
	Want        []json.RawMessage // rows, each an array of cells or a line's string
	Golden      string            // the file that has the wanted output, in place of Want
	Throws      string            // what the wanted error's text contains, in place of both
	Ordered     bool              // the output may depend on the order of the input
}

// TestRecord is a record of a test case.
type TestRecord struct {
	ID   string
	Dims schema.Dims
	JSON []byte
}

// testDims are those that a test case's record has unless it says otherwise.
var testDims = schema.Dims{"saved_session", "Firefox", "nightly", "30.0a1", "20140301030201", "20140302"}

// LoadTests runs a test file and returns its cases in order. Errors of the file
// are *Error. Files that cases name are read from its folder.
func LoadTests(ctx context.Context, path string, limits Limits, console func(level, text string)) ([]TestCase, error) {
	file, err := CompileFile(path)
	if err != nil {
		return nil, err
	}

	// The file has no exports: it calls test, which is global there.
	var cases []TestCase
	file.setup = func(started *host) {
		started.rt.Set("test", started.testFunction(filepath.Dir(path), func(testCase TestCase) { cases = append(cases, testCase) }))
	}

	started, err := newHost(ctx, file, limits, console, func(*host) error { return nil })
	if err != nil {
		return nil, err
	}

	started.close()

	if len(cases) == 0 {
		return nil, &Error{
			File: path, Phase: "load", Message: "there is no test in it",
			Notes: []string{`A test is test("name", { records: [{ ping: {…} }], want: [["key", 1]] }).`},
		}
	}

	return cases, nil
}

// testFunction returns the function test(name, {…}) of test files in a folder.
func (h *host) testFunction(dir string, add func(TestCase)) func(goja.FunctionCall) goja.Value {
	// Before the script runs, which may replace it.
	stringify := h.Method("JSON", "stringify")

	return func(call goja.FunctionCall) goja.Value {
		name := call.Argument(0).String()
		if _, ok := call.Argument(1).(*goja.Object); !ok {
			h.ThrowType("test takes a name and an object with records and want")
		}

		// The case crosses as JSON, so that its values are those of a stored ping.
		text, err := stringify(goja.Undefined(), call.Argument(1))
		if err != nil {
			panic(err)
		}
		testCase, err := parseCase(dir, name, []byte(text.String()))
		if err != nil {
			h.Throw(fmt.Errorf("test %q: %w", name, err))
		}
		add(testCase)
		return goja.Undefined()
	}
}

// parseCase reads a case's object.
func parseCase(dir, name string, text []byte) (TestCase, error) {
	var doc struct {
		Records     json.RawMessage `json:"records"`
		Definitions json.RawMessage `json:"definitions"`
		Want        json.RawMessage `json:"want"`
		Throws      string          `json:"throws"`
		Ordered     bool            `json:"ordered"`
	}
	if err := strict(text, &doc); err != nil {
		return TestCase{}, err
	}

	testCase := TestCase{Name: name, Throws: doc.Throws, Ordered: doc.Ordered}
	var err error
	if testCase.Records, err = parseRecords(dir, doc.Records); err != nil {
		return testCase, fmt.Errorf("records: %w", err)
	}

	if len(doc.Definitions) > 0 {
		if testCase.Definitions, err = parseDefinitions(dir, doc.Definitions); err != nil {
			return testCase, fmt.Errorf("definitions: %w", err)
		}
	}

	// What it wants is an error, a file, or rows.
	if len(doc.Want) == 0 {
		if doc.Throws == "" {
			return testCase, errors.New("it has neither want nor throws")
		}
		return testCase, nil
	}

	var file string
	if json.Unmarshal(doc.Want, &file) == nil {
		testCase.Golden = filepath.Join(dir, file)
		return testCase, nil
	}

	if err := json.Unmarshal(doc.Want, &testCase.Want); err != nil {
		return testCase, errors.New("want must be an array of rows, or the name of a file")
	}

	return testCase, nil
}

// parseDefinitions reads histogram definitions: an object as in Histograms.json, or the
// name of such a file.
func parseDefinitions(dir string, text json.RawMessage) (*revisions.Spec, error) {
	var file string
	if json.Unmarshal(text, &file) == nil {
		content, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			return nil, err
		}
		text = content
	}

	spec, err := revisions.Parse(text)
	if err != nil {
		return nil, err
	}

	// A wrong definition is a mistake in the test, not one that a ping could have.
	for definition := range spec.Definitions() {
		if definition.Err != nil {
			return nil, definition.Err
		}
	}
	return spec, nil
}

// parseRecords reads a list of {id, dims, ping}, or a file of stored records
// (`<id>\t<json>` lines), or one of such objects (.jsonl).
func parseRecords(dir string, text json.RawMessage) ([]TestRecord, error) {
	var file string
	if json.Unmarshal(text, &file) == nil {
		return recordFile(dir, file)
	}

	var list []json.RawMessage
	if err := json.Unmarshal(text, &list); err != nil {
		return nil, errors.New("want an array of {id, dims, ping}, or the name of a file")
	}

	return recordList(list)
}

// recordFile reads the records of a file.
func recordFile(dir, file string) ([]TestRecord, error) {
	content, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}

	// The ending says which of the two kinds of lines it has.
	lines := bytes.Split(bytes.TrimRight(content, "\n"), []byte("\n"))
	if filepath.Ext(file) != ".jsonl" {
		return storedRecords(file, lines)
	}

	var list []json.RawMessage
	for _, line := range lines {
		list = append(list, line)
	}

	return recordList(list)
}

// recordList reads objects {id, dims, ping}; what they leave out is made up.
func recordList(list []json.RawMessage) ([]TestRecord, error) {
	var records []TestRecord
	for i, item := range list {
		record, err := parseRecord(item)
		if err != nil {
			return nil, fmt.Errorf("record %d: %w", i+1, err)
		}
		if record.ID == "" {
			record.ID = fmt.Sprintf("id%d", i+1)
		}
		records = append(records, record)
	}

	return records, nil
}

func parseRecord(text json.RawMessage) (TestRecord, error) {
	var doc struct {
		ID   string            `json:"id"`
		Dims map[string]string `json:"dims"`
		Ping json.RawMessage   `json:"ping"`
	}
	if err := strict(text, &doc); err != nil {
		return TestRecord{}, err
	}

	record := TestRecord{ID: doc.ID, Dims: testDims, JSON: []byte("{}")}
	// The dimensions that a case does not name are those of testDims.
	for name, value := range doc.Dims {
		at := slices.Index(schema.DimNames[:], name)
		if at < 0 {
			return record, fmt.Errorf("no dimension %q: there are %s", name, strings.Join(schema.DimNames[:], ", "))
		}
		record.Dims[at] = schema.Sanitise(at, value)
	}

	// Stored pings have no space between tokens.
	if len(doc.Ping) > 0 {
		var compact bytes.Buffer
		if err := json.Compact(&compact, doc.Ping); err != nil {
			return record, err
		}
		record.JSON = compact.Bytes()
	}

	return record, nil
}

// storedRecords reads lines `<id>\t<json>`.
func storedRecords(file string, lines [][]byte) ([]TestRecord, error) {
	var records []TestRecord
	for i, line := range lines {
		id, text, ok := bytes.Cut(line, []byte("\t"))
		if !ok {
			return nil, fmt.Errorf("%s:%d: no tab between document ID and JSON", file, i+1)
		}
		records = append(records, TestRecord{ID: string(id), Dims: testDims, JSON: text})
	}

	return records, nil
}

// strict decodes JSON and refuses members that v does not have.
func strict(text []byte, v any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(v)
}
