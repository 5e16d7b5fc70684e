package convert

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// These tests keep the recipes of doc.go true: each fails if a place is forgotten.

// examples has a ping for each payload version, with a value for each dimension.
var examples = map[payloadVersion]string{
	{verMember, 1}: ingesttest.Ping(`"FLAG":{"values":{"0":1}}`),
	{verMember, 2}: ingesttest.Converted(`"FLAG":[1,0,0,-1,-1,-1,-1,-1]`),
	{verMember, 3}: `{"ver":3,"pingID":"p","deviceinfo.update_channel":"beta","deviceinfo.platform_version":28.0,"deviceinfo.platform_build_id":"2014"}`,
	{verMember, 5}: strings.Replace(ingesttest.Ping(``), `"ver":1`, `"ver":5`, 1),

	{versionMember, 4}: unifiedPing("main"),
	{versionMember, 5}: strings.Replace(strings.Replace(unifiedPing("main"), `"version":4`, `"version":5`, 1), `"id":"i"`, ingesttest.Info, 1),
}

// conversionDocument is the page for people.
func conversionDocument(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/conversion.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// documentedVersions returns the payload versions that the page has a row for.
func documentedVersions(t *testing.T) map[payloadVersion]bool {
	t.Helper()
	documented := map[payloadVersion]bool{}
	for line := range strings.Lines(conversionDocument(t)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		for i, member := range []string{verMember, versionMember} {
			for value := range strings.SplitSeq(cells[i+1], ",") {
				if n := versionNumber([]byte(strings.TrimSpace(value) + " ")[:max(1, len(strings.TrimSpace(value)))]); n > 0 {
					documented[payloadVersion{member, n}] = true
				}
			}
		}
	}
	return documented
}

func TestEveryPayloadVersion(t *testing.T) {
	documented := documentedVersions(t)
	for version := range formats {
		if examples[version] == "" {
			t.Errorf("%v: no example in this test", version)
		}
		if !documented[version] {
			t.Errorf("%v: no row in docs/conversion.md", version)
		}
	}
	for version := range documented {
		if formats[version] == nil {
			t.Errorf("%v: documented, but not in the table of formats", version)
		}
	}

	for version, text := range examples {
		record, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(text), "20150702")
		if err != nil {
			t.Errorf("%v: %v", version, err)
			continue
		}

		// A record that is imported is converted again, and must stay what it is.
		json := bytes.Clone(record.JSON)
		again, err := newTestConverter(t).ConvertJSON(t.Context(), json, "20150702")
		if err != nil || !bytes.Equal(again.JSON, json) || again.Dims != record.Dims {
			t.Errorf("%v: converted again: %v %s, want %s", version, err, again.JSON, json)
		}
	}
}

func TestEveryUnifiedType(t *testing.T) {
	document := conversionDocument(t)
	for kind := range unifiedTypes {
		if !strings.Contains(document, "unified: `"+kind+"`") {
			t.Errorf("%s: no row in docs/conversion.md", kind)
		}
		if _, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(unifiedPing(kind)), "20150702"); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestEveryDimensionIsFilled(t *testing.T) {
	for version, text := range examples {
		record, err := newTestConverter(t).ConvertJSON(t.Context(), []byte(text), "20150702")
		if err != nil {
			t.Errorf("%v: %v", version, err)
			continue
		}
		for i, value := range record.Dims {
			if value == "" || value == schema.Unknown {
				t.Errorf("%v: %s is %q", version, schema.DimNames[i], value)
			}
		}
	}
}

func TestEveryClassIsDocumented(t *testing.T) {
	document := conversionDocument(t)
	file, err := parser.ParseFile(token.NewFileSet(), "rejection.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}

	classes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		declaration, ok := n.(*ast.GenDecl)
		if !ok || declaration.Tok != token.CONST {
			return true
		}

		for _, one := range declaration.Specs {
			spec := one.(*ast.ValueSpec)
			if !strings.HasPrefix(spec.Names[0].Name, "Class") {
				continue
			}

			classes++
			value := strings.Trim(spec.Values[0].(*ast.BasicLit).Value, `"`)
			if !strings.Contains(document, "`"+value+"`") {
				t.Errorf("%s: no row in docs/conversion.md", value)
			}
			if !slices.Contains(Classes, value) {
				t.Errorf("%s is not in Classes", value)
			}
		}
		return false
	})
	if classes < 10 || classes != len(Classes) {
		t.Errorf("%d classes declared, %d in Classes", classes, len(Classes))
	}
}

func TestEveryFaultHasAClass(t *testing.T) {
	for fault := range histogram.NumFaults {
		rejection := &faults[fault]
		if rejection.class == "" || rejection.message == nil {
			t.Errorf("fault %d has no class, or no message", fault)
			continue
		}
		e := &histogram.Error{Fault: fault, Histogram: "NAME", Place: "7", Value: []byte("1.5")}
		if fault == histogram.SumNotNumber {
			e.Place = "sum_squares_lo"
		}
		if message := rejection.message(e, nil); rejection.class == ClassBadPayload && HistogramIn(message) != "NAME" {
			t.Errorf("fault %d: no histogram found in %q", fault, message)
		}
		if fault != histogram.NoValues && fault != histogram.BadDefinition && !strings.Contains(rejection.message(e, nil), "NAME") {
			t.Errorf("fault %d: the message does not name the histogram", fault)
		}
	}
}

// TestAheadChangesNothing converts each ping twice. The second time the revision is
// known, so that its histograms are rewritten ahead; a Converter that guesses wrong
// has seen only another revision.
func TestAheadChangesNothing(t *testing.T) {
	texts := []string{
		unifiedPing("saved-session"),
		unifiedPing("deletion"),
		ingesttest.Ping(`"GC":{"values":{"640":3,"0":2}},"NO":{},"GC":{"values":{}}`),
		ingesttest.Ping(`"FLAG":{"values":{"7":1}}`),
		`{"x":{"histograms":{"FLAG":{"values":{"0":1}}}},` + ingesttest.Ping(`"FLAG":{"values":{"1":1}}`)[1:],
		`{"x":{` + ingesttest.Revision + `},` + strings.Replace(ingesttest.Ping(`"FLAG":{"values":{"1":1}}`)[1:], "0123456789ab", "26cb30a532a1", 1),
	}
	for _, text := range examples {
		texts = append(texts, text)
	}

	warm := newTestConverter(t)
	if _, err := warm.ConvertJSON(t.Context(), []byte(ingesttest.Ping(``)), "20150702"); err != nil {
		t.Fatal(err)
	}
	for _, text := range texts {
		cold := newTestConverter(t)
		want, wantErr := cold.ConvertJSON(t.Context(), []byte(text), "20150702")
		clear(warm.Dropped)
		got, err := warm.ConvertJSON(t.Context(), []byte(text), "20150702")
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Errorf("%s: %v, want %v", text, err, wantErr)
		}
		if !bytes.Equal(got.JSON, want.JSON) || got.Dims != want.Dims || len(warm.Dropped) != len(cold.Dropped) {
			t.Errorf("%s: got %s, want %s", text, got.JSON, want.JSON)
		}
	}
}
