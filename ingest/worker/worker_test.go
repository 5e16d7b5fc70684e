package worker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

// dataWith returns a data folder with one finished raw log of these
// submissions, given as path and body.
func dataWith(t testing.TB, pathsAndBodies ...string) (*layout.Data, string) {
	t.Helper()
	data, err := layout.OpenData(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { data.Close() })
	log := rawlog.AppendHead(nil, 0)
	for i := 0; i < len(pathsAndBodies); i += 2 {
		at := time.Date(2013, 9, 10, 23, 59, i, 0, time.UTC)
		log = rawlog.AppendEntry(log, &rawlog.Submission{Path: pathsAndBodies[i], Body: []byte(pathsAndBodies[i+1]), Time: at}, 0)
	}
	const name = "telemetry.log.v3.host.1.1.finished"
	if err := os.WriteFile(filepath.Join(data.Dir(), layout.RawDir, name), log, 0o644); err != nil {
		t.Fatal(err)
	}
	return data, name
}

// linesIn returns the stored lines of the segments that f selects, with the
// partition before each.
func linesIn(t testing.TB, data *layout.Data, f schema.Filter) (lines []string) {
	t.Helper()
	tree := data.Tree()
	segs, err := tree.Segments(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range segs {
		r, err := tree.Open(s, 0, -1)
		if err != nil {
			t.Fatal(err)
		}
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				lines = append(lines, s.Dims.String()+"\t"+strings.TrimSuffix(line, "\n"))
			}
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

const goodPath = "id1/idle-daily/Firefox/23.0.1/release/2013"

func TestConvertLog(t *testing.T) {
	bad := ingesttest.Ping(`"FLAG":{"values":{"9":1}}`)
	data, name := dataWith(t,
		goodPath, ingesttest.Ping(`"FLAG":{"values":{"0":1}},"NO":{}`),
		"id2", ingesttest.Ping(``),
		"id3/saved-session/Fennec/23.0.1/release/2013", ingesttest.Ping(``),
		"id4", bad,
		"id5", "\x1f\x8bnot gzip",
		"a/b", "{}",
	)
	st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid1\t" + ingesttest.Converted(`"FLAG":[1,0,0,-1,-1,-1,-1,-1]`),
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid2\t" + ingesttest.Converted(``),
		"idle_daily/Firefox/release/23.0.1/2013/20130910\tid3\t" + ingesttest.Converted(``),
	}
	if got := linesIn(t, data, schema.All()); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("published %q, want %q", got, want)
	}
	if st.Submissions != 6 || st.Records != 3 || st.Quarantined() != 3 || st.BytesLost != 0 ||
		st.Invalid[convert.ClassBadPayload] != 1 || st.Invalid[convert.ClassCorrupt] != 1 || st.Invalid[convert.ClassPath] != 1 ||
		st.Mismatched[schema.Reason] != 1 || st.Mismatched[schema.AppName] != 1 || st.Mismatched[schema.Version] != 0 ||
		st.Dropped[convert.Drop{Name: "NO", Reason: convert.DropUnknown}] != 1 {
		t.Errorf("%+v", st)
	}
	if _, err := data.Root().Stat(layout.RawDir + "/" + name); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the raw log is still there: %v", err)
	}
	f := schema.All()
	f.IncludeInvalid = true
	found := false
	for _, line := range linesIn(t, data, f) {
		p := strings.SplitN(line, "\t", 3)
		if p[1] != "id4" {
			continue
		}
		found = true
		q, err := layout.ParseInvalid([]byte(p[2]))
		if err != nil {
			t.Fatal(err)
		}
		if q.Class != convert.ClassBadPayload || q.Message != "Found invalid bucket FLAG.values[9]" || string(q.Body) != bad ||
			q.Path != "id4" || q.Origin != name || !q.Time.Equal(time.Date(2013, 9, 10, 23, 59, 6, 0, time.UTC)) {
			t.Errorf("quarantined: %+v", q)
		}
	}
	if !found {
		t.Error("the bad payload is not in the quarantine")
	}
}

func TestConvertLogLeavesWhatIsInUse(t *testing.T) {
	data, name := dataWith(t, goodPath, ingesttest.Ping(``))
	f, err := os.Open(filepath.Join(data.Dir(), layout.RawDir, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if _, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); !errors.Is(err, layout.ErrBusy) {
		t.Errorf("a locked raw log: %v", err)
	}
	f.Close()
	if st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); err != nil || st.Records != 1 {
		t.Errorf("unlocked: %+v, %v", st, err)
	}
}

func TestConvertLogWaitsForDefinitions(t *testing.T) {
	gone := strings.Replace(ingesttest.Ping(``), "0123456789ab", "503503503503", 1)
	data, name := dataWith(t, goodPath, ingesttest.Ping(``), "id2", gone, "id3", "{}", "id4/idle-daily/Firefox/23.0.1/release/2013", gone)
	st, err := ConvertLog(t.Context(), data, name, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)})
	if err != nil || st.Waiting != 2 || st.Records != 1 || st.Quarantined() != 1 {
		t.Errorf("%+v, %v", st, err)
	}
	const waiting, again = "telemetry.log.v3.host.1.waiting1.1.finished", "telemetry.log.v3.host.1.waiting2.1.finished"
	if logs, err := WaitingLogs(data.Root()); err != nil || fmt.Sprint(logs) != "["+waiting+"]" {
		t.Errorf("raw logs %v, %v", logs, err)
	}
	// Nothing of it can be converted yet: it stays as it is.
	if st, err := ConvertLog(t.Context(), data, waiting, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); !errors.Is(err, revisions.ErrUnavailable) || st.Waiting != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ConvertLog(ctx, data, waiting, Options{Converter: withDefinitions(t, ingesttest.DefinitionsText)}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	// The server is back.
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}
	back := convert.New(returned{ingesttest.Definitions{Always: spec}}, convert.DefaultOptions())
	if st, err := ConvertLog(t.Context(), data, waiting, Options{Converter: back}); err != nil || st.Records != 2 {
		t.Errorf("%+v, %v", st, err)
	}
	got := linesIn(t, data, schema.All())
	if len(got) != 3 || !strings.Contains(got[1], "20130910\tid2\t") || !strings.Contains(got[2], "20130910\tid4\t") {
		t.Errorf("published %q", got)
	}
	if waitingName(name) != waiting || waitingName(waiting) != again || waitingName("x") == "x" {
		t.Errorf("waitingName: %s, %s", waitingName(name), waitingName(waiting))
	}
}

// TestConvertFramesWaitsForDefinitions imports a raw log of which a part has to
// wait, again and again: every submission is published once.
func TestConvertFramesWaitsForDefinitions(t *testing.T) {
	gone := strings.Replace(ingesttest.Ping(``), "0123456789ab", "503503503503", 1)
	data, name := dataWith(t, "id1", ingesttest.Ping(``), "id2", gone, "id3", "{}")
	name = filepath.Join(data.Dir(), layout.RawDir, name)
	log, err := os.ReadFile(name)
	if err := errors.Join(err, os.Remove(name)); err != nil {
		t.Fatal(err)
	}
	source, err := ImportSource(bytes.NewReader(log))
	if err != nil {
		t.Fatal(err)
	}
	again := func(conv *convert.Converter) Stats {
		t.Helper()
		st, err := ConvertFrames(t.Context(), data, source, rawlog.NewReader(bytes.NewReader(log), rawlog.VersionAuto), Options{Converter: conv})
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		t.Fatal(err)
	}
	back := convert.New(returned{ingesttest.Definitions{Always: spec}}, convert.DefaultOptions())

	if st := again(withDefinitions(t, ingesttest.DefinitionsText)); st.Records != 1 || st.Waiting != 1 || st.Quarantined() != 1 {
		t.Errorf("at first: %+v", st)
	}
	if st := again(back); st.Repeated != 3 || st.Records != 0 {
		t.Errorf("while a part waits: %+v", st)
	}
	logs, err := WaitingLogs(data.Root())
	if err != nil || len(logs) != 1 {
		t.Fatalf("raw logs %v, %v", logs, err)
	}
	if st, err := ConvertLog(t.Context(), data, logs[0], Options{Converter: back}); err != nil || st.Records != 1 {
		t.Errorf("what waited: %+v, %v", st, err)
	}
	if st := again(back); st.Repeated != 3 || st.Records != 0 {
		t.Errorf("when nothing waits: %+v", st)
	}
	got := strings.Join(linesIn(t, data, schema.All()), "\n")
	if strings.Count(got, "\tid1\t") != 1 || strings.Count(got, "\tid2\t") != 1 || strings.Count(got, "\n") != 1 {
		t.Errorf("published %s", got)
	}
}

// returned is definitions of which all can be had.
type returned struct{ convert.Definitions }

func (r returned) Spec(ctx context.Context, _ revisions.Ref) (*revisions.Spec, error) {
	return r.Definitions.Spec(ctx, revisions.Ref{})
}
