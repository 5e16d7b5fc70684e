package convert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
	"github.com/aitgithub/telemetry-server/ingest/convert/histogram"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/schema"
	"github.com/aitgithub/telemetry-server/revisions"
)

type dict = map[string]any

// reference converts a decoded ping the way the predecessor did, in plain steps.
// It returns the result and its info, or the classes that a refusal may have:
// which histogram is looked at first is left open.
type reference struct {
	spec     *revisions.Spec
	defs     ingesttest.Definitions
	fallback string // the revision URL of pings without one; "" for none
}

type refused struct{ classes []string }

func (r refused) Error() string { return strings.Join(r.classes, " or ") }

func refuse(class string) error { return refused{[]string{class}} }

func (r *reference) convert(text []byte) (ping, info dict, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var v any
	if !json.Valid(text) || depth(text) > jsonscan.MaxDepth {
		err := jsonscan.Valid(text)
		if e, ok := errors.AsType[*jsonscan.SyntaxError](err); ok && e.Reason == jsonscan.ControlCharacter {
			return nil, nil, refuse(ClassControlChar)
		}
		return nil, nil, refuse(ClassConversion)
	}
	if err := dec.Decode(&v); err != nil {
		return nil, nil, err
	}
	ping, _ = v.(dict)
	conv := refuse(ClassConversion)
	info, _ = ping["info"].(dict)
	if ver, ok := ping["ver"]; ok {
		switch {
		case is(ver, 1):
			if err := r.histograms(ping); err != nil {
				return nil, nil, err
			}
			ping["ver"] = json.Number("2")
		case is(ver, 3):
			info = dict{"reason": "ftu", "appName": "FirefoxOS"}
			for k, from := range map[string]string{"appUpdateChannel": "update_channel", "appBuildID": "platform_build_id", "appVersion": "platform_version"} {
				if info[k], ok = ping["deviceinfo."+from]; !ok {
					info[k] = "UNKNOWN"
				}
			}
			ping["info"], ping["ver"] = info, json.Number("2")
			delete(ping, "pingID")
		case !is(ver, 2) && !is(ver, 5):
			return nil, nil, conv
		}
	} else if ver, ok := ping["version"]; ok {
		application, ok := ping["application"]
		payload, has := ping["payload"]
		_, hasInfo := ping["info"]
		app, isDict := application.(dict)
		switch {
		case !is(ver, 4) && !is(ver, 5) || !pythonTrue(ping["type"]) || !ok || !has || is(ver, 4) && (hasInfo || !isDict):
			return nil, nil, conv
		case is(ver, 4):
			info = dict{}
			add(info, app, applicationFields, "")
			info["reason"] = ping["type"]
			ping["info"], ping["version"] = info, json.Number("5")
			if t := ping["type"]; t == "main" || t == "first-shutdown" || t == "saved-session" {
				p, _ := payload.(dict)
				if _, ok := p["info"]; !ok {
					return nil, nil, conv
				}
				if _, ok := p["histograms"]; !ok {
					return nil, nil, conv
				}
				if t != "saved-session" {
					if err := r.sieve(p); err != nil {
						return nil, nil, err
					}
				} else if err := r.histograms(p); err != nil {
					return nil, nil, err
				}
				if t == "saved-session" {
					if _, ok := ping["environment"]; !ok {
						return nil, nil, conv
					}
					flat(ping, p, info)
				}
			}
		}
	} else {
		return nil, nil, conv
	}
	if info == nil {
		return nil, nil, conv
	}
	for _, name := range schema.DimNames[:schema.SubmissionDate] {
		switch info[name].(type) {
		case dict, []any:
			return nil, nil, conv
		}
	}
	return ping, info, nil
}

func flat(ping, payload, info dict) {
	delete(ping, "payload")
	taken := maps.Clone(ping)
	taken["payload"] = nil
	for k, v := range payload {
		if _, ok := taken[k]; k == "info" {
			continue
		} else if ok || k == "ver" {
			k = "payload." + k
			// A name that is taken again: the last one in the ping's order counts,
			// which a map does not know.
			if _, ok := ping[k]; ok {
				k = unordered
			} else if _, ok := payload[k]; ok {
				k = unordered
			}
		}
		ping[k] = v
	}
	own := maps.Clone(info)
	for k, v := range payload["info"].(dict) {
		if _, ok := own[k]; !ok {
			info[k] = v
		}
	}
	if env, ok := ping["environment"].(dict); ok {
		add(info, env, environmentFields, "")
		if s, ok := info["OS"].(string); ok && strings.HasPrefix(s, "Windows_") {
			info["OS"] = "WINNT"
		}
		if list, ok := at(env, []string{"system", "gfx", "adapters"}).([]any); ok {
			for i, a := range list[:min(2, len(list))] {
				adapter, _ := a.(dict)
				add(info, adapter, adapterFields, []string{"", "2"}[i])
				if i == 1 {
					info["isGPU2Active"] = pythonTrue(adapter["GPUActive"])
				}
			}
		}
	}
	ping["clientID"], ping["ver"] = ping["clientId"], json.Number("5")
}

// unordered marks a result that depends on the order of members.
const unordered = "\x00unordered"

func at(v any, path []string) any {
	for _, k := range path {
		d, ok := v.(dict)
		if !ok {
			return nil
		}
		v = d[k]
	}
	return v
}

func add(info, from dict, sources []source, suffix string) {
	for _, s := range sources {
		if v := at(from, s.path); v != nil {
			name := s.name + suffix
			if _, ok := info[name]; ok {
				name = "environment." + name
			}
			info[name] = v
		}
	}
}

func is(v any, want float64) bool {
	n, ok := v.(json.Number)
	if !ok {
		return false
	}
	f, err := strconv.ParseFloat(string(n), 64)
	return err == nil && f == want
}

func pythonTrue(v any) bool {
	switch v := v.(type) {
	case bool:
		return v
	case string:
		return v != ""
	case json.Number:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f != 0
	case dict:
		return len(v) > 0
	case []any:
		return len(v) > 0
	}
	return false
}

func depth(text []byte) (deepest int) {
	dec := json.NewDecoder(bytes.NewReader(text))
	for d := 0; ; {
		t, err := dec.Token()
		if err != nil {
			return deepest
		}
		switch t {
		case json.Delim('{'), json.Delim('['):
			d++
			deepest = max(deepest, d)
		case json.Delim('}'), json.Delim(']'):
			d--
		}
	}
}

func (r *reference) histograms(ping dict) error {
	info, ok := ping["info"].(dict)
	if !ok {
		return refuse(ClassConversion)
	}
	rev, hasRev := info["revision"]
	hs, hasHists := ping["histograms"]
	if !hasRev && !hasHists {
		return nil
	}
	if !hasRev {
		if r.fallback == "" {
			return refuse(ClassMissingRevision)
		}
		rev, info["revision"], info["revisionFallback"] = r.fallback, r.fallback, "buildID"
	}
	url, isString := rev.(string)
	all, isDict := hs.(dict)
	if !hasHists || !isString {
		return refuse(ClassConversion)
	}
	ref, err := revisions.ParseURL(url, revisions.DefaultHost)
	if err != nil && url == "/rev/" {
		return refuse(ClassRevisionRepo)
	}
	if err == nil {
		_, err = r.defs.Spec(context.Background(), ref)
	}
	if errors.Is(err, revisions.ErrUnavailable) {
		return err
	}
	if err != nil || !isDict {
		return refuse(ClassConversion)
	}
	out, bad := dict{}, refused{}
	for name, v := range all {
		d := r.spec.Lookup([]byte(name))
		if d == nil {
			continue
		}
		row, class := r.histogram(d, v)
		if class != "" {
			bad.classes = append(bad.classes, class)
		} else if row != nil {
			out[name] = row
		}
	}
	if bad.classes != nil {
		return bad
	}
	ping["histograms"] = out
	return nil
}

// sieve removes the histograms that cannot be used from the payload of a ping of today.
func (r *reference) sieve(payload dict) error {
	info, ok := payload["info"].(dict)
	if !ok {
		return refuse(ClassConversion)
	}
	var spec *revisions.Spec
	url, isString := info["revision"].(string)
	if ref, err := revisions.ParseURL(url, revisions.DefaultHost); err == nil && isString {
		spec = r.defs.AtHand(ref)
	}

	plain := func(v any, name string) {
		all, _ := v.(dict)
		for key, h := range all {
			own := name
			if name == "" {
				own = key
			}
			if !usable(h, own, spec) {
				delete(all, key)
			}
		}
	}
	section := func(v any) {
		d, _ := v.(dict)
		plain(d["histograms"], "")
		keyed, _ := d["keyedHistograms"].(dict)
		for name, byKey := range keyed {
			if name != "" { // plain would take it for none
				plain(byKey, name)
			}
		}
	}
	section(payload)
	processes, _ := payload["processes"].(dict)
	for _, process := range processes {
		section(process)
	}
	return nil
}

// usable says whether a histogram that says its own bucketing can be used.
func usable(v any, name string, spec *revisions.Spec) bool {
	h, ok := v.(dict)
	if !ok {
		return false
	}
	number := func(v any, has bool) float64 {
		if !has {
			return -1
		}
		return natural(v)
	}
	kindValue, hasKind := h["histogram_type"]
	countValue, hasCount := h["bucket_count"]
	pair, hasRange := h["range"]
	kind, count := number(kindValue, hasKind), number(countValue, hasCount)
	low, high := -1.0, -1.0
	if hasRange {
		low, high = -2, -2
		if list, ok := pair.([]any); ok && len(list) == 2 {
			low, high = natural(list[0]), natural(list[1])
		}
	}

	var d *revisions.Definition
	if spec != nil {
		d = spec.Lookup([]byte(name))
	}
	if d != nil && d.Err == nil && !d.Guessed {
		if kind != -1 && kind != float64(d.Kind.TypeCode()) || low != -1 && (max(low, 1) != float64(d.Low) || low < 0 || high != float64(d.High)) || count != -1 && count != float64(d.BucketCount) {
			return false
		}
	}

	var bounds []int
	switch {
	case kind == -1 || low == -1 || count == -1:
		if d == nil || d.Err != nil {
			return false
		}
		bounds = d.Bounds()
	case kind < 0 || kind > 5:
		return false
	default:
		own, err := revisions.NewDefinition("", []revisions.Kind{revisions.Exponential, revisions.Linear, revisions.Boolean, revisions.Flag, revisions.Count, revisions.Categorical}[int(kind)], int(low), int(high), int(count))
		if err != nil {
			return false
		}
		bounds = own.Bounds()
	}

	values, ok := h["values"].(dict)
	if !ok {
		return false
	}
	for k, n := range values {
		num, _ := n.(json.Number)
		c, err := strconv.ParseInt(string(num), 10, 64)
		bound, err2 := strconv.ParseInt(k, 10, 64)
		if _, ok := slices.BinarySearch(bounds, int(bound)); err != nil || c < 0 || err2 != nil || !ok {
			return false
		}
	}
	for _, sum := range histogram.TailNames {
		switch h[sum].(type) {
		case nil, json.Number:
		default:
			return false
		}
	}
	return true
}

// histogram returns the row of v, nil if it is dropped, or the class of a refusal.
func (r *reference) histogram(d *revisions.Definition, v any) (row []any, class string) {
	h, ok := v.(dict)
	if !ok {
		return nil, ClassConversion
	}
	values, ok := h["values"]
	if d.Err != nil && !d.Unsized || !ok {
		return nil, ClassConversion
	}
	number := func(name string) float64 {
		n, ok := h[name]
		if !ok {
			return -1
		}
		return natural(n)
	}
	if !d.Guessed && !d.Unsized {
		if k := number("histogram_type"); k != -1 && k != float64(d.Kind.TypeCode()) {
			return nil, ""
		}
		if rng, ok := h["range"]; ok {
			pair, _ := rng.([]any)
			if len(pair) != 2 || max(natural(pair[0]), 1) != float64(d.Low) || natural(pair[0]) < 0 || natural(pair[1]) != float64(d.High) {
				return nil, ""
			}
		}
		if n := number("bucket_count"); n != -1 && n != float64(d.BucketCount) {
			return nil, ""
		}
	}
	row = make([]any, d.BucketCount, d.BucketCount+layout.TailNumbers)
	for i := range row {
		row[i] = json.Number("0")
	}
	if d.Err == nil {
		counts, ok := values.(dict)
		if !ok {
			return nil, ClassConversion
		}
		for k, n := range counts {
			num, _ := n.(json.Number)
			count, err := strconv.ParseInt(string(num), 10, 64)
			bound, err2 := strconv.ParseInt(k, 10, 64)
			i, ok := slices.BinarySearch(d.Bounds(), int(bound))
			if err != nil || count < 0 || err2 != nil || !ok {
				return nil, ClassBadPayload
			}
			row[i] = num
		}
	}
	for _, name := range histogram.TailNames {
		switch n := h[name].(type) {
		case nil:
			row = append(row, json.Number("-1"))
		case json.Number:
			row = append(row, n)
		default:
			return nil, ClassBadPayload
		}
	}
	return row, ""
}

// natural returns a non-negative integer, or -2.
func natural(v any) float64 {
	n, _ := v.(json.Number)
	i, err := strconv.ParseInt(string(n), 10, 64)
	if err != nil || i < 0 || i > math.MaxInt32 {
		return -2
	}
	return float64(i)
}

// FuzzConvert compares the converter with the reference: the same values, or a
// refusal of the same class.
func FuzzConvert(f *testing.F) {
	for _, s := range []string{
		ingesttest.Ping(`"FLAG":{"range":[1,2],"values":{"0":1,"1":0},"sum":0}`), ingesttest.Ping(`"GC":{"values":{"640":3,"0":2}},"GC":{"values":{}}`),
		ingesttest.Ping(`"LIN":{"range":[1,41],"values":{"7":1}},"STARTUP_FLAG":{"values":{"3":1}}`), ingesttest.Ping(`"SIZED":{"values":1,"sum":2}`), ingesttest.Ping(`"ODD":{"values":{}}`),
		ingesttest.Ping(`"FLAG":{"values":{"0":-1}},"NO":[]`), ingesttest.Ping(`"FLAG":{"values":{"01":1}}`), ingesttest.Ping(`"FLAG":{"values":{},"range":[0,2],"bucket_count":3.0}`),
		`{"ver":2,"info":{},"a":[1e400,-0.0,"\ud800"],"a":{}}`, "{\r\n\"ver\" : 1 , \"info\" : { \"x\" : 1 } }", `{"ver":3,"pingID":1,"deviceinfo.update_channel":"x","info":1}`,
		`{"ver":1,"info":{"revision":"/rev/"},"histograms":{}}`, `{"ver":1,"histograms":{]},"info":{}}`, "{\"ver\":1,\"a\":\"\x02\"}", "[\xff]",
		unifiedPing("first-shutdown"), strings.Replace(unifiedPing("main"), `"FLAG":`, `"X":{"range":[1,2],"range":[1,9],"bucket_count":3,"histogram_type":1,"values":{"0":-1,"9":2,"0":1},"sum":"x","sum":1},"Y":1,"Y":{},"X":7,"FLAG":`, 1),
		unifiedPing("main"), unifiedPing("saved-session"), unifiedPing("deletion"), strings.Replace(unifiedPing("main"), `"version":4`, `"version":5,"info":{}`, 1),
		strings.Replace(unifiedPing("saved-session"), `"ver":4`, `"ver":4,"type":1,"payload.type":2,"clientID":3,"payload":4`, 1),
	} {
		f.Add([]byte(s))
	}
	spec, err := revisions.Parse([]byte(ingesttest.DefinitionsText))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"ver":1,"info":{"appVersion":"29.0a1","revisionFallback":1},"histograms":{"FLAG":{"values":{}}}}`))
	f.Add([]byte(regexp.MustCompile(`"revision":"[^"]*",?`).ReplaceAllString(unifiedPing("saved-session"), "")))
	known := revisions.Ref{Repo: "mozilla-central", Revision: "26cb30a532a1"}
	plain, c := reference{spec: spec, defs: ingesttest.Definitions{Always: spec}}, newTestConverter(f)
	withFallback, c2 := plain, newTestConverter(f)
	withFallback.fallback, c2.resolver.fallback = known.URL(), always(known)
	compare := func(t *testing.T, ref *reference, c *Converter, text []byte) {
		want, info, wantErr := ref.convert(bytes.Map(func(r rune) rune { return r }, text))
		before := bytes.Clone(text)
		got, err := c.ConvertJSON(t.Context(), text, "20130910")
		if !bytes.Equal(text, before) {
			t.Fatal("the submission was changed")
		}
		if wantErr != nil || err != nil {
			bad, _ := errors.AsType[*Rejection](err)
			may, isRefusal := errors.AsType[refused](wantErr)
			if isRefusal && (bad == nil || !slices.Contains(may.classes, bad.Class)) || !isRefusal && (wantErr == nil || bad != nil || err == nil) {
				t.Fatalf("%q: %v, want %v", text, err, wantErr)
			}
			return
		}
		if bytes.ContainsAny(got.JSON, "\r\n") {
			t.Fatalf("%q: line ends in %q", text, got.JSON)
		}
		if _, ok := want[unordered]; ok {
			return
		}
		dec := json.NewDecoder(bytes.NewReader(got.JSON))
		dec.UseNumber()
		var v any
		if err := dec.Decode(&v); err != nil || dec.More() {
			t.Fatalf("%q: %v in %q", text, err, got.JSON)
		}
		if !reflect.DeepEqual(v, any(want)) {
			t.Fatalf("%q:\ngot  %v\nwant %v", text, v, want)
		}
		for i, name := range schema.DimNames[:schema.SubmissionDate] {
			w := "UNKNOWN"
			if v, ok := info[name]; ok && v != nil {
				w = fmt.Sprint(v)
			}
			if got.Dims[i] != w {
				t.Fatalf("%q: %s is %q, want %q", text, name, got.Dims[i], w)
			}
		}
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		compare(t, &plain, c, text)
		compare(t, &withFallback, c2, text)
	})
}
