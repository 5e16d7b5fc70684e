package convert

import (
	"bytes"
	"context"
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/gen"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/revisions"
)

// nightlies knows one revision, of nightly builds.
type nightlies struct{}

func (nightlies) FindRevision(channel, buildID, version string) (revisions.Ref, string, bool) {
	return revisions.Ref{Repo: "mozilla-central", Revision: "26cb30a532a1"}, "buildID", channel == "nightly"
}

// flags defines one histogram, A, in every revision.
type flags struct{}

func (flags) Spec(_ context.Context, ref revisions.Ref) (*revisions.Spec, error) {
	if ref.Revision != "26cb30a532a1" {
		return nil, revisions.ErrNotFound
	}
	return revisions.Parse([]byte(`{"A": {"kind": "flag"}}`))
}

func TestConvertWithoutRevision(t *testing.T) {
	const found = `"revision":"https://hg.mozilla.org/mozilla-central/rev/26cb30a532a1","revisionFallback":"buildID"`
	const histograms = `"histograms":{"A":{"values":{"0":1},"sum":0}}`
	const converted = `"histograms":{"A":[1,0,0,0,-1,-1,-1,-1]}`
	tests := []struct{ name, in, want string }{
		{"classic", `{"ver":1,"info":{"appUpdateChannel":"nightly", "x":1.0 },` + histograms + `,"y":{}}`,
			`{"ver":2,"info":{"appUpdateChannel":"nightly", "x":1.0,` + found + `},` + converted + `,"y":{}}`},
		{"info last", `{` + histograms + `,"ver":1,"info":{"appUpdateChannel":"nightly"}}`,
			`{` + converted + `,"ver":2,"info":{"appUpdateChannel":"nightly",` + found + `}}`},
		{"the client's own mark", `{"ver":1,"info":{"revisionFallback":1,"appUpdateChannel":"nightly"},` + histograms + `}`,
			`{"ver":2,"info":{"appUpdateChannel":"nightly",` + found + `},` + converted + `}`},
		{"main", `{"type":"main","version":4,"application":{"channel":"nightly"},"payload":{"info":{},` + histograms + `}}`,
			`{"type":"main","version":5,"application":{"channel":"nightly"},"payload":{"info":{},"histograms":{}},"info":{"appUpdateChannel":"nightly","reason":"main"}}`},
		{"saved-session", `{"type":"saved-session","version":4,"application":{"channel":"nightly"},"environment":{},"payload":{"info":{"a":1},` + histograms + `}}`,
			`{"type":"saved-session","version":5,"application":{"channel":"nightly"},"environment":{},` + converted +
				`,"info":{"appUpdateChannel":"nightly","reason":"saved-session","a":1,` + found + `},"clientID":null,"ver":5}`},
		{"its own revision", `{"ver":1,"info":{"appUpdateChannel":"nightly","revision":"http://hg.mozilla.org/try/rev/26cb30a532a1"},` + histograms + `}`,
			`{"ver":2,"info":{"appUpdateChannel":"nightly","revision":"http://hg.mozilla.org/try/rev/26cb30a532a1"},` + converted + `}`},
		{"nothing to convert", `{"ver":1,"info":{"appUpdateChannel":"nightly"}}`, `{"ver":2,"info":{"appUpdateChannel":"nightly"}}`},
		{"not found", `{"ver":1,"info":{"appUpdateChannel":"beta"},` + histograms + `}`, `missing_revision: Missing in payload: info.revision`},
		{"not even a channel", `{"ver":1,"info":{},` + histograms + `}`, `missing_revision: Missing in payload: info.revision`},
	}
	o := DefaultOptions()
	o.Fallback = nightlies{}
	on, off := New(flags{}, o), New(flags{}, DefaultOptions())
	convert := func(c *Converter, text string) string {
		r, err := c.ConvertJSON(t.Context(), []byte(text), "20140203")
		if _, ok := errors.AsType[*Rejection](err); ok {
			return err.Error()
		}
		if err != nil {
			t.Error(err)
		}
		return string(r.JSON)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := convert(on, tt.in); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if strings.Contains(tt.want, found) {
				if got := convert(off, tt.in); !strings.HasPrefix(got, ClassMissingRevision) {
					t.Errorf("switched off: %s", got)
				}
			} else if got, want := convert(off, tt.in), convert(on, tt.in); got != want {
				t.Errorf("switched off: %s\nswitched on:  %s", got, want)
			}
		})
	}
}

// always finds one revision, whatever it is asked for.
type always revisions.Ref

func (a always) FindRevision(string, string, string) (revisions.Ref, string, bool) {
	return revisions.Ref(a), "buildID", true
}

// TestFallbackChangesNothingElse takes the revision out of pings and has it
// found: but for where it stands in info, the record stays what it was, byte for
// byte.
func TestFallbackChangesNothingElse(t *testing.T) {
	check := func(t *testing.T, defs Definitions, text []byte) {
		t.Helper()
		member := regexp.MustCompile(`"revision":"(http[^"]*)",`)
		m := member.FindSubmatch(text)
		if m == nil {
			t.Fatal("no revision in the ping")
		}
		ref, err := revisions.ParseURL(string(m[1]))
		if err != nil {
			t.Fatal(err)
		}
		o := DefaultOptions()
		plain, err := New(defs, o).ConvertJSON(t.Context(), text, "20140203")
		if err != nil {
			t.Fatal(err)
		}
		o.Fallback = always(ref)
		found, err := New(defs, o).ConvertJSON(t.Context(), bytes.Replace(text, m[0], nil, 1), "20140203")
		if err != nil {
			t.Fatal(err)
		}
		added := []byte(`,"revision":"` + ref.URL() + `","revisionFallback":"buildID"}`)
		if !bytes.Contains(found.JSON, added) {
			t.Errorf("not marked: %.300s", found.JSON)
		}
		got, want := bytes.Replace(found.JSON, added, []byte("}"), 1), bytes.Replace(plain.JSON, m[0], nil, 1)
		if !bytes.Equal(got, want) || found.Dims != plain.Dims {
			t.Errorf("got  %.300s\nwant %.300s", got, want)
		}
	}
	t.Run("made up", func(t *testing.T) {
		spec, err := revisions.Parse(gen.Definitions)
		if err != nil {
			t.Fatal(err)
		}
		for g, i := gen.New(1), 0; i < 100; i++ {
			check(t, ingesttest.Definitions{Always: spec}, g.Ping(i).JSON)
		}
	})
	t.Run("main needs none", func(t *testing.T) {
		text := ingesttest.Shared(t, "raw/unified-main.v4.json")
		o := DefaultOptions()
		plain, err := New(ingesttest.Definitions{}, o).ConvertJSON(t.Context(), text, "20180308")
		if err != nil {
			t.Fatal(err)
		}
		o.Fallback = always(revisions.Ref{Repo: "mozilla-central", Revision: "26cb30a532a1"})
		found, err := New(ingesttest.Definitions{}, o).ConvertJSON(t.Context(), text, "20180308")
		if err != nil || !bytes.Equal(found.JSON, plain.JSON) {
			t.Errorf("%v, %.300s", err, found.JSON)
		}
	})
}

func (flags) AtHand(revisions.Ref) *revisions.Spec { return nil }
