package histogram

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/revisions"
)

const definitions = `{
	"FLAG": {"kind": "flag"}, "LIN": {"kind": "linear", "high": 40, "n_buckets": 5},
	"GC": {"kind": "exponential", "high": 16384, "n_buckets": 50}
}`

func spec(t testing.TB) *revisions.Spec {
	t.Helper()
	s, err := revisions.Parse([]byte(definitions))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// usualHistogram is a histogram as browsers send it.
func usualHistogram(d *revisions.Definition, values, sums string) string {
	return string(d.Opening()) + "{" + values + "}" + sums + "}"
}

func TestRewrite(t *testing.T) {
	tests := []struct{ name, in, want, dropped string }{
		{"empty", `{}`, `{}`, ""},
		{"usual and not", `{"FLAG":{"range":[1,2],"bucket_count":3,"histogram_type":3,"values":{"0":1},"sum":0},"LIN" : { "values":{} } }`,
			`{"FLAG":[1,0,0,0,-1,-1,-1,-1],"LIN":[0,0,0,0,0,-1,-1,-1,-1,-1]}`, ""},
		{"dropped", `{"NO":[],"LIN":{"range":[1,9],"values":{}},"FLAG":{"bucket_count":7,"values":1},"GC":{"histogram_type":9,"values":{}}}`,
			`{}`, "NO unknown LIN range FLAG bucket_count GC type"},
		{"the last of a name counts", `{"FLAG":3,"FLAG":{"values":{"1":1}},"NO":1}`, `{"FLAG":[0,1,0,-1,-1,-1,-1,-1]}`, "NO unknown"},
	}
	rewriter := NewRewriter()
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			out := Output{JSON: []byte("before")}
			end, err := rewriter.Rewrite(&out, []byte(tt.in+" behind"), 0, spec(t))
			if err != nil || end != len(tt.in) {
				t.Fatalf("end %d, %v", end, err)
			}
			if got := string(out.JSON); got != "before"+tt.want {
				t.Errorf("got  %s\nwant before%s", got, tt.want)
			}
			var dropped []string
			for _, d := range out.Dropped {
				dropped = append(dropped, d.Name+" "+d.Reason)
			}
			if got := strings.Join(dropped, " "); got != tt.dropped {
				t.Errorf("dropped %s, want %s", got, tt.dropped)
			}
		})
	}
}

func TestRewriteErrors(t *testing.T) {
	for in, want := range map[string]Fault{
		`{"FLAG":[]}`:                          NotObject,
		`{"FLAG":{}}`:                          NoValues,
		`{"FLAG":{"values":3}}`:                ValuesNotObject,
		`{"FLAG":{"values":{"0":1.5}}}`:        CountNotInteger,
		`{"FLAG":{"values":{"0":-1}}}`:         CountNegative,
		`{"FLAG":{"values":{"7":1}}}`:          UnknownBucket,
		`{"FLAG":{"values":{},"log_sum":"x"}}`: SumNotNumber,
	} {
		var out Output
		_, err := NewRewriter().Rewrite(&out, []byte(in), 0, spec(t))
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Fault != want || e.Histogram != "FLAG" {
			t.Errorf("%s: %v, want fault %d", in, err, want)
		}
	}

	var out Output
	if _, err := NewRewriter().Rewrite(&out, []byte(`[]`), 0, spec(t)); err != ErrNotObject {
		t.Errorf("no object: %v", err)
	}
	_, err := NewRewriter().Rewrite(&out, []byte(`{"FLAG":{"values":{]}`), 0, spec(t))
	if _, ok := errors.AsType[*jsonscan.SyntaxError](err); !ok {
		t.Errorf("not JSON: %v", err)
	}
	out.JSON = make([]byte, MaxRecordBytes)
	if _, err := NewRewriter().Rewrite(&out, []byte(`{"FLAG":{"values":{}}}`), 0, spec(t)); err != ErrTooLong {
		t.Errorf("too long: %v", err)
	}
}

// TestUsualAgreesWithCareful changes each byte of usual histograms. Whatever the
// usual path accepts, the careful one must write the same.
func TestUsualAgreesWithCareful(t *testing.T) {
	s := spec(t)
	accepted := 0
	check := func(d *revisions.Definition, text []byte) {
		usual, careful := NewRewriter(), NewRewriter()
		end, ok := usual.usual(text, 0, d)
		if !ok {
			return
		}
		accepted++
		wantEnd, reason, err := careful.careful(text, 0, []byte(d.Name), d)
		if err != nil || reason != "" || end != wantEnd || !bytes.Equal(usual.out, careful.out) {
			t.Fatalf("%s: usual %d %s, careful %d %s %q %v", text, end, usual.out, wantEnd, careful.out, reason, err)
		}
	}

	for d := range s.Definitions() {
		for _, values := range []string{``, `"0":1`, `"0":0,"1":22`, `"0":123456789012345678`} {
			for _, sums := range []string{
				`,"sum":5`, `,"sum":-1.5e3`, `,"sum":5,"log_sum":1.5,"log_sum_squares":2`, `,"sum":5,"sum_squares_lo":1,"sum_squares_hi":0`,
			} {
				text := usualHistogram(d, values, sums)
				before := accepted
				check(d, []byte(text))
				if accepted == before {
					t.Errorf("%s: not usual", text)
				}
				for i := range text {
					for _, c := range []byte(`0129-+.e"{}[]:, al`) {
						changed := []byte(text)
						changed[i] = c
						check(d, changed)
					}
				}
			}
		}
	}
	t.Logf("%d accepted", accepted)
}

func TestEverySumIsWritten(t *testing.T) {
	members, want := `"values":{}`, "0,0,0"
	for i, name := range TailNames {
		members += fmt.Sprintf(`,"%s":%d`, name, 100+i)
		want += fmt.Sprintf(",%d", 100+i)
	}
	var out Output
	if _, err := NewRewriter().Rewrite(&out, []byte(`{"FLAG":{`+members+`}}`), 0, spec(t)); err != nil {
		t.Fatal(err)
	}
	if got := string(out.JSON); got != `{"FLAG":[`+want+`]}` {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDropCountsAreBounded(t *testing.T) {
	counts := DropCounts{}
	for i := range maxDrops + 5 {
		counts.Add(Drop{fmt.Sprint(i), DropUnknown})
	}
	if len(counts) != maxDrops+1 || counts[Drop{"", DropUnknown}] != 5 {
		t.Errorf("%d names, %d without", len(counts), counts[Drop{"", DropUnknown}])
	}
}

// BenchmarkRewrite shows what the usual path is for: the same histograms as browsers
// send them, and with a space that makes them unusual.
func BenchmarkRewrite(b *testing.B) {
	s := spec(b)
	gc := usualHistogram(s.Lookup([]byte("GC")), `"0":5,"1":22,"2":1,"16384":0`, `,"sum":523,"log_sum":82.3832015991211,"log_sum_squares":244.2482485671876`)
	unusual := strings.Replace(gc, `,"sum"`, `, "sum"`, 1)
	for _, bb := range []struct{ name, histogram string }{{"usual", gc}, {"careful", unusual}} {
		text := []byte(`{"GC":` + bb.histogram + `}`)
		b.Run(bb.name, func(b *testing.B) {
			rewriter := NewRewriter()
			var out Output
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				out.Reset()
				if _, err := rewriter.Rewrite(&out, text, 0, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
