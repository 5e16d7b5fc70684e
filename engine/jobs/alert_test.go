package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/engine/jobs/api"
)

// TestAlertRules: what a rule may say.
func TestAlertRules(t *testing.T) {
	for text, want := range map[string]string{
		``: "", `{"above":1}`: "", `{"below":0,"value":"n"}`: "", `{"function":true}`: "", `{"distance":0.5,"days":1}`: "",
		`{}`: "want one of", `{"distance":2}`: "from 0 to 1", `{"above":"1"}`: "alert: ", `{"above":1,"bellow":2}`: "bellow", `[1]`: "alert: ", `{"above":1,"days":-1}`: "days",
	} {
		_, err := parseAlert([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestTotalVariation(t *testing.T) {
	rows := func(values ...float64) (rows []share) {
		for i, value := range values {
			rows = append(rows, share{fmt.Sprint(i), value})
		}
		return rows
	}
	for name, test := range map[string]struct {
		before, now []share
		want        float64
	}{
		"the same shares":   {rows(1, 3), rows(10, 30), 0},
		"nothing in common": {rows(1), rows(0, 1), 1},
		"a quarter moved":   {rows(2, 2), rows(1, 3), 0.25},
		"both empty":        {nil, nil, 0},
		"one empty":         {nil, rows(1), 1},
		"all zero":          {rows(0, 0), rows(1), 1},
	} {
		if got := totalVariation(test.before, test.now); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestAlert runs a script with a rule on days of the test's own, with a restart after each.
// Each change is reported once, though reports fail and servers end.
func TestAlert(t *testing.T) {
	f := newBackfillFolder(t)
	f.options.Keep = 30
	f.write(t, filepath.Join(f.scripts, "a.js"), `{"alert":{"above":100,"below":1,"distance":0.3}}`+"\ncat '"+f.data+`' >"$output"`)
	now := time.Date(2026, 11, 1, 6, 0, 0, 0, time.UTC)
	f.options.Now = func() time.Time { return now }
	var reported []string
	accepts := true
	f.options.Alert = func(_ context.Context, change api.AlertChange) error {
		if !accepts {
			return errors.New("the webhook is down")
		}
		reported = append(reported, fmt.Sprintf("%s %s: %s", change.At.Format(time.DateOnly), change.State, change.Text))
		return nil
	}

	state := api.AlertState("")
	for _, step := range []struct {
		day     int
		rows    string
		request api.Request
		accepts bool
		want    api.AlertState
	}{
		{1, `{"key":"a","value":50}` + "\n" + `{"key":"b","value":50}` + "\n", api.Request{}, true, ""},
		{2, `{"key":"a","value":101}` + "\n", api.Request{}, true, api.AlertFiring},
		{3, `{"key":"a","value":102}` + "\n", api.Request{}, true, api.AlertFiring},
		{3, `{"key":"a","value":3}` + "\n", api.Request{Sample: "1%"}, true, api.AlertFiring}, // of a part of the data
		{3, `{"key":"a","value":3}` + "\n", api.Request{SampleClients: "1"}, true, api.AlertFiring},
		{3, `{"key":"a","value":3}` + "\n", api.Request{FilterDocument: json.RawMessage(`{"version":1}`)}, true, api.AlertFiring},
		{4, `{"key":"a","value":50}` + "\n" + `{"key":"b","value":50}` + "\n", api.Request{}, false, api.AlertOK},
		{5, `{"key":"a","value":0}` + "\n", api.Request{}, false, api.AlertFiring},
		{6, `{"key":"a","value":0}` + "\n", api.Request{}, true, api.AlertFiring},
		{7, "no rows\n", api.Request{}, true, api.AlertError},
		{8, `{"key":"a","value":55}` + "\n" + `{"key":"b","value":45}` + "\n", api.Request{}, true, api.AlertOK},      // as on day 1
		{11, `{"key":"a","value":90}` + "\n" + `{"key":"b","value":10}` + "\n", api.Request{}, true, api.AlertFiring}, // not as on day 4
		{11, `{"key":"a","text":90}` + "\n", api.Request{}, true, api.AlertError},
	} {
		now = time.Date(2026, 11, step.day, 6, 0, 0, 0, time.UTC)
		accepts = step.accepts
		f.write(t, f.data, step.rows)
		manager, folder := f.open(t)
		if err := manager.reportOnce(t.Context()); err != nil && step.accepts {
			t.Errorf("day %d, at the start: %v", step.day, err)
		}
		if _, err := folder.Start("a.js", step.request, api.ByRequest); err != nil {
			t.Fatal(err)
		}
		<-manager.waiting
		manager.runNext(t.Context())
		for range 2 {
			if err := manager.reportOnce(t.Context()); err != nil && step.accepts {
				t.Errorf("day %d: %v", step.day, err)
			}
		}
		if script, _ := folder.Get("a.js"); script.State != nil {
			state = script.State.State
		}
		if state != step.want {
			t.Errorf("day %d: %q, want %q", step.day, state, step.want)
		}
		if err := manager.Close(); err != nil {
			t.Fatal(err)
		}
	}

	want := []string{
		`2026-11-02 firing: value of {"key":"a"} is 101, above 100`,
		`2026-11-04 ok: within the bounds`,
		`2026-11-05 firing: value of {"key":"a"} is 0, below 1`,
		`2026-11-07 error: the rule needs rows that are objects`,
		`2026-11-08 ok: within the bounds`,
		`2026-11-11 firing: the total variation distance from the result of 2026-11-04 is 0.4, above 0.3`,
		`2026-11-11 error: the column "value" has a row without a number`,
	}
	for i, text := range want {
		if i >= len(reported) || !strings.HasPrefix(reported[i], text) {
			t.Errorf("report %d: %q, want %q", i, reported[min(i, len(reported)-1)], text)
		}
	}
	if len(reported) != len(want) {
		t.Errorf("reported %q", reported)
	}
}

// TestAlertFunction: a function gets the rows of the run and of the run before, its message is
// the state of the alert, and its error is one of the run.
func TestAlertFunction(t *testing.T) {
	f := newBackfillFolder(t)
	f.options.Keep = 30
	f.write(t, filepath.Join(f.scripts, "a.js"), `{"alert":{"function":true}}`+"\ncat '"+f.data+`' >"$output"`)
	f.write(t, filepath.Join(f.scripts, "a.js.alert"), `
read -r now <"$rows"
before=none
if [ -n "$previous" ]; then read -r before <"$previous"; fi
case $now in
bad) echo '{"error":"alert: TypeError"}'; exit 5;;
silent) exit 1;;
quiet) echo '{"message":""}';;
*) echo "{\"message\":\"$now after $before\"}";;
esac`)

	manager, folder := f.open(t)
	defer manager.Close()
	for _, step := range []struct {
		rows    string
		request api.Request
		state   api.State
		code    int
		alert   api.AlertState
		text    string // of the last change
	}{
		{"quiet", api.Request{}, api.Done, 0, "", ""},
		{"one", api.Request{}, api.Done, 0, api.AlertFiring, "one after quiet"},
		{"two", api.Request{}, api.Done, 0, api.AlertFiring, "one after quiet"}, // no change
		{"bad", api.Request{Sample: "1%"}, api.Done, 0, api.AlertFiring, "one after quiet"},
		{"bad", api.Request{}, api.Failed, 5, api.AlertFiring, "one after quiet"},
		{"silent", api.Request{}, api.Failed, 1, api.AlertFiring, "one after quiet"},
		{"csv", api.Request{Format: "csv"}, api.Done, 0, api.AlertError, errAlertTable.Error()},
		{"three", api.Request{}, api.Done, 0, api.AlertFiring, "three after two"},
		{"quiet", api.Request{}, api.Done, 0, api.AlertOK, "within the bounds"},
	} {
		f.write(t, f.data, step.rows+"\n")
		started, err := folder.Start("a.js", step.request, api.ByRequest)
		if err != nil {
			t.Fatal(err)
		}
		<-manager.waiting
		manager.runNext(t.Context())

		run, _, err := manager.Get(started.ID)
		if err != nil || run.State != step.state || run.Code != step.code || step.code == 5 && run.Error != "alert: TypeError" {
			t.Errorf("%s: %v, %+v", step.rows, err, run)
		}
		script, _ := folder.Get("a.js")
		state, text := api.AlertState(""), ""
		if script.State != nil {
			state, text = script.State.State, script.State.Changes[0].Text
		}
		if state != step.alert || text != step.text {
			t.Errorf("%s: the alert is %q, %q", step.rows, state, text)
		}
	}
}

// TestAlertIsReported: the manager's own loop reports a change that was stored before it
// began, and one that a run makes.
func TestAlertIsReported(t *testing.T) {
	f := newBackfillFolder(t)
	f.write(t, filepath.Join(f.scripts, "a.js"), `{"alert":{"above":1}}`+"\ncat '"+f.data+`' >"$output"`)
	f.write(t, f.data, `{"value":2}`+"\n")
	manager, folder := f.open(t)
	if _, err := folder.Start("a.js", api.Request{}, api.ByRequest); err != nil {
		t.Fatal(err)
	}
	<-manager.waiting
	manager.runNext(t.Context())
	if err := manager.Close(); err != nil {
		t.Fatal(err)
	}

	changes := make(chan api.AlertChange, 10)
	f.options.Alert = func(_ context.Context, change api.AlertChange) error { changes <- change; return nil }
	manager, folder = f.open(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { manager.Run(ctx); close(done) }()
	if change := <-changes; change.State != api.AlertFiring || change.Script != "a.js" {
		t.Errorf("%+v", change)
	}
	f.write(t, f.data, `{"value":0}`+"\n")
	if _, err := folder.Start("a.js", api.Request{}, api.ByRequest); err != nil {
		t.Fatal(err)
	}
	if change := <-changes; change.State != api.AlertOK {
		t.Errorf("%+v", change)
	}
	cancel()
	<-done
	if err := manager.Close(); err != nil || len(changes) > 0 {
		t.Errorf("%v, %d more", err, len(changes))
	}
}
