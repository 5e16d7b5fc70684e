package forget

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const (
	idA = "bbd3a809-6dde-4cc4-8432-1c1fe3100f03"
	idB = "271f4fce-20cd-45a9-81e6-692c1ec3077e"
	idC = "957d55a5-e987-4579-88cd-6710804913c2"
)

func ids(texts ...string) (list []ID) {
	for _, text := range texts {
		list = append(list, mustParse(text))
	}
	return list
}

func TestParseID(t *testing.T) {
	for text, want := range map[string]bool{
		idA: true, strings.ToUpper(idA): true, "{" + idA + "}": true,
		"": false, idA[1:]: false, idA + "0": false, strings.ReplaceAll(idA, "-", "x"): false, "g" + idA[1:]: false, "--" + idA[2:]: false, "{" + idA: false,
	} {
		id, ok := ParseID([]byte(text))
		if ok != want || ok && id.String() != idA {
			t.Errorf("%q: %s, %v", text, id, ok)
		}
	}
	for _, text := range []string{"c0ffeec0-ffee-c0ff-eec0-ffeec0ffeec0", "00000000-0000-0000-0000-000000000000"} {
		if !mustParse(text).Nobody() {
			t.Errorf("%s is somebody", text)
		}
	}
}

// TestClients has a case for each place where records have IDs, and for those where IDs are of
// something else.
func TestClients(t *testing.T) {
	for text, want := range map[string]string{
		`{"clientId":"A"}`:                                      "A",
		`{"clientID":"A"}`:                                      "A",
		`{"client_id":"A"}`:                                     "A",
		`{"profileGroupId":"A"}`:                                "A",
		`{"profile_group_id":"A"}`:                              "A",
		`{"client\u0049d":"{A}"}`:                               "A",
		` { "clientId" : "A", "x":[{"clientId":"B"}] }`:         "A",
		`{"client_info":{"os":"x","client_id":"A"}}`:            "A",
		`{"metrics":{"uuid":{"usage.profile_id":"A","x":"B"}}}`: "AB",
		`{"metrics":{"string":{"a":"A"}}}`:                      "",
		`{"id":"A","payload":{"clientId":"A"}}`:                 "",
		`{"metadata":{"document_id":"A"}}`:                      "",
		`{"environment":{"build":{"applicationId":"{A}"}}}`:     "",
		`{"clientId":null,"client_info":3,"metrics":[]}`:        "",
		`[]`: "",
		// What is no JSON: everything behind the damage counts.
		`{"a":1,"client_info":{"client_id":"A"`: "A",
		`{"a":+,"x":"{A}","y":"B"}`:             "AB",
		"nothing":                               "",
	} {
		full := strings.NewReplacer(`"A"`, `"`+idA+`"`, "{A}", "{"+idA+"}", `"B"`, `"`+idB+`"`).Replace(text)
		var wanted []ID
		for _, name := range want {
			wanted = append(wanted, mustParse(map[rune]string{'A': idA, 'B': idB}[name]))
		}
		if got, _ := Clients(nil, []byte(full)); !slices.Equal(got, wanted) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}

	if _, namespace := Clients(nil, []byte(`{"metadata":{"namespace":"my-app"}}`)); namespace != "my-app" {
		t.Errorf("namespace %q", namespace)
	}
	if _, namespace := Clients(nil, []byte(`{"metadata":{"namespace":7}}`)); namespace != "telemetry" {
		t.Errorf("namespace %q", namespace)
	}
}

// TestDefaultTable reads the five shapes of deletion requests, and removes the IDs.
func TestDefaultTable(t *testing.T) {
	table := DefaultTable()
	for _, tt := range []struct {
		namespace, typeName, text string
		want                      []ID
		redacted                  string
	}{
		{
			"telemetry", "deletion-request",
			`{"clientId":"` + idA + `","payload":{"scalars":{"parent":{"deletion.request.impression_id":"{` + idC + `}","n":1}}},"profileGroupId":"` + idB + `"}`,
			ids(idA, idB, idC), `{"clientId":null,"payload":{"scalars":{"parent":{"deletion.request.impression_id":null,"n":1}}},"profileGroupId":null}`,
		},
		{
			"firefox-desktop", "deletion-request",
			`{"client_info":{"client_id":"` + idA + `"},"metrics":{"uuid":{"legacy.telemetry.client_id":"` + idB + `"},"string":{"deletion.request.impression_id":"{` + idC + `}"}}}`,
			ids(idA, idB, idC), `{"client_info":{"client_id":null},"metrics":{"uuid":{"legacy.telemetry.client_id":null},"string":{"deletion.request.impression_id":null}}}`,
		},
		{
			"firefox-desktop", "usage-deletion-request", `{"metrics":{"uuid":{"usage.profile_id":"` + idA + `","other":"` + idB + `"}}}`,
			ids(idA), `{"metrics":{"uuid":{"usage.profile_id":null,"other":"` + idB + `"}}}`,
		},
		{"my-app", "deletion-request", `{"client_info":{"client_id":"` + idA + `"},"again":"` + idA + `"}`, ids(idA), `{"client_info":{"client_id":null},"again":null}`},
		{
			"my-app", "deletion-request", `{"client_info":{"client_id":"` + idA + `"},"` + idA + `" : "x\\\"` + idA + `","y":["{` + strings.ToUpper(idA) + `}"]}`,
			ids(idA), `{"client_info":{"client_id":null},"forgotten" : "x\\\"` + idA + `","y":[null]}`,
		},
		{"my-app", "deletion-request", `{"client_info":{"client_id":"c0ffeec0-ffee-c0ff-eec0-ffeec0ffeec0"}}`, nil, `{"client_info":{"client_id":null}}`},
		{"my-app", "deletion-request", `{"client_info":`, nil, `{"client_info":`},
		{"my-app", "deletion-request", `[]`, nil, `[]`},
	} {
		row := table.Find(tt.namespace, tt.typeName)
		if row == nil {
			t.Fatalf("%s/%s is no request", tt.namespace, tt.typeName)
		}
		if got := row.Read([]byte(tt.text)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: read %s, want %s", tt.text, got, tt.want)
		}
		if got := string(row.Redact([]byte(tt.text))); got != tt.redacted {
			t.Errorf("%s: redacted %s", tt.text, got)
		}
	}
	for _, other := range [][2]string{{"telemetry", "main"}, {"telemetry", ""}, {"my-app", "baseline"}} {
		if table.Find(other[0], other[1]) != nil {
			t.Errorf("%s is a request", other)
		}
	}
}

func TestParseTable(t *testing.T) {
	table, err := ParseTable([]byte(`{"requests":[
		{"namespace":"my-app","type":"forget-me","ids":[["who"]],"reaches":["my-app","other"]},
		{"namespace":"my-app","type":"deletion-request","ids":[["me"]]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if row := table.Find("my-app", "forget-me"); row == nil || !slices.Equal(row.Reaches, []string{"my-app", "other"}) {
		t.Errorf("the row is %+v", row)
	}
	if row := table.Find("my-app", "deletion-request"); len(row.Read([]byte(`{"me":"`+idA+`"}`))) != 1 {
		t.Error("a row of the document does not come before the built-in ones")
	}
	if table.Find("telemetry", "deletion-request") == nil {
		t.Error("the built-in rows are gone")
	}

	for _, wrong := range []string{
		``, `{"requests":[{}]}`, `{"request":[]}`, `{"requests":[{"namespace":"a","type":"b","ids":[[]]}]}`,
		`{"requests":[{"namespace":"a","type":"b","ids":[["*","x"]]}]}`, `{"requests":[{"namespace":"a","type":"b"}]}`,
	} {
		if _, err := ParseTable([]byte(wrong)); err == nil {
			t.Errorf("no error for %s", wrong)
		}
	}
}

func TestSet(t *testing.T) {
	at := time.Date(2026, 11, 28, 10, 0, 0, 5e6, time.UTC)
	set := &Set{}
	set.Add(Request{ID: mustParse(idA), Time: at, Reaches: []string{"b", "a"}})
	set.Add(Request{ID: mustParse(idA), Time: at.Add(-time.Hour), Reaches: []string{"c"}})
	set.Add(Request{ID: mustParse(idB), Time: at})
	set.Add(Request{ID: Canary, Time: at})

	list := string(set.List())
	want := idA + "\t2026-11-28T09:00:00.005Z\ta,b,c\n" + idB + "\t2026-11-28T10:00:00.005Z\t*\n"
	if list != want {
		t.Errorf("the list is %s", list)
	}
	again := &Set{}
	if err := again.ParseList([]byte(list)); err != nil || again.Sum() != set.Sum() {
		t.Errorf("%v: read back %s", err, again.List())
	}

	for namespace, has := range map[string]bool{"a": true, "c": true, "telemetry": false} {
		if set.Has(ids(idA), namespace) != has {
			t.Errorf("%s: want %v", namespace, has)
		}
	}
	if !set.Has(ids(idC, idB), "telemetry") || set.Has(ids(idC), "a") || set.Has(nil, "a") || (*Set)(nil).Has(ids(idA), "a") {
		t.Error("the set has what it has not, or the other way round")
	}
	if due := set.Before(at.Add(-time.Minute)); due.Len() != 1 || set.Before(at).Len() != 2 {
		t.Errorf("%d are due", due.Len())
	}

	// A damaged line costs itself only.
	damaged := &Set{}
	if err := damaged.ParseList([]byte("x\n" + list)); err == nil || damaged.Len() != 2 {
		t.Errorf("%v, %d IDs", err, damaged.Len())
	}
}

func TestFilter(t *testing.T) {
	var all Collector
	var halves [2]Collector
	set := &Set{}
	for i := range 5000 {
		id := mustParse(fmt.Sprintf("%08x-%04x-4000-8000-%012x", uint32(i)*2654435761, i, i))
		all.Add([]ID{id, id})
		halves[i%2].Add([]ID{id})
		if i%1000 == 7 {
			set.Add(Request{ID: id})
		}
	}
	for i := range 1000 {
		set.Add(Request{ID: mustParse(fmt.Sprintf("%08x-aaaa-4000-8000-%012x", uint32(i)*2654435761+99, i))})
	}

	filter := ParseFilter(all.Text(), 5000)
	if hits := filter.Hits(set); filter == nil || hits.Len() != 5 {
		t.Errorf("%d hits", hits.Len())
	}
	var union Collector
	for i := range halves {
		union.AddFilter(ParseFilter(halves[i].Text(), 2500), 2500)
	}
	if union.Text() != all.Text() {
		t.Error("the union of two filters is not that of all records")
	}

	// Whatever is not known must be read.
	if ParseFilter(all.Text(), 4999) != nil || ParseFilter("", 0) != nil || ParseFilter("2 0 ", 0) != nil || ParseFilter("1 0 !", 0) != nil {
		t.Error("a filter of other records is used")
	}
	if hits := (*Filter)(nil).Hits(set); hits.Len() != set.Len() {
		t.Error("without a filter, nobody is looked for")
	}
	union.AddFilter(nil, 1)
	if union.Text() != "" {
		t.Error("a filter says what is not known")
	}
	var none Collector
	if ParseFilter(none.Text(), 0) == nil {
		t.Error("a segment without clients has no filter")
	}
}
