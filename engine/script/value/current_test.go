package value

import (
	"testing"

	"github.com/dop251/goja"
)

const (
	unifiedPing = `{"type":"main","clientId":"c1","environment":{"system":{"os":{"name":"Linux"}}},"payload":{
		"histograms":{"H":{"bucket_count":4,"histogram_type":1,"range":[10,30],"values":{"10":2}}},
		"keyedHistograms":{"K":{"a":{"bucket_count":4,"histogram_type":1,"range":[10,30],"values":{"20":5}}}},
		"processes":{
			"parent":{"scalars":{"s.one":7},"keyedScalars":{"s.keyed":{"x":3}},"events":[[12,"cat","method","obj",null,{"k":"v"}]]},
			"content":{"scalars":{"s.one":8},"histograms":{"H":{"bucket_count":4,"histogram_type":1,"range":[10,30],"values":{"30":1}}},
				"keyedHistograms":{"K":{"a":{"bucket_count":4,"histogram_type":1,"range":[10,30],"values":{"0":9}}}}},
			"dynamic":{"events":[[13,"cat","other","obj","val"]]}}}}`
	eventPing = `{"type":"event","clientId":"c1","payload":{"events":{"parent":[[1,"a","b","c"]]}}}`
	gleanPing = `{"client_info":{"client_id":"g1","os":"Linux","os_version":"6.1","app_build":"2026","app_channel":"esr","app_display_version":"153.8"},
		"metrics":{"counter":{"c.one":5},"labeled_counter":{"l.one":{"x":2}},"string":{"s.one":"text"},
			"timing_distribution":{"t.one":{"values":{"1":3,"2435":4},"sum":9743}},
			"memory_distribution":{"m.one":{"values":{"511":1},"sum":600}},
			"labeled_timing_distribution":{"lt.one":{"fast":{"values":{"8":1},"sum":8}}},
			"custom_distribution":{"cu.one":{"values":{"10":1},"sum":10}},
			"labeled_custom_distribution":{"lc.one":{"a":{"values":{"0":1,"10":2},"sum":25}}}},
		"events":[{"timestamp":0,"category":"nav","name":"click","extra":{"to":"x"}}]}`
	classicPing = `{"ver":1,"clientID":"old","info":{"OS":"WINNT","appVersion":"26.0a1","appBuildID":"2013"},"histograms":{}}`
)

// TestCurrentPings: unified pings, those of Glean and classic ones answer the same
// questions.
func TestCurrentPings(t *testing.T) {
	for _, c := range []struct{ ping, expression, want string }{
		{unifiedPing, `ping.client`, `c1`},
		{gleanPing, `ping.client`, `g1`},
		{classicPing, `ping.client`, `old`},
		{`{}`, `ping.client`, `undefined`},
		{unifiedPing, `ping.environment.system.os.name`, `Linux`},
		{gleanPing, `JSON.stringify(ping.environment)`,
			`{"build":{"buildId":"2026","version":"153.8"},"settings":{"update":{"channel":"esr"}},"system":{"os":{"name":"Linux","version":"6.1"}}}`},
		{classicPing, `ping.environment.system.os.name + ping.environment.build.version`, `WINNT26.0a1`},
		{`{}`, `ping.environment`, `undefined`},

		{unifiedPing, `ping.scalar("s.one") + ping.scalar("s.one", {process: "content"})`, `15`},
		{unifiedPing, `ping.scalar("s.keyed", {key: "x"}) + "" + ping.scalar("s.keyed", {key: "y"}) + ping.scalar("s.none")`, `3undefinedundefined`},
		{gleanPing, `ping.scalar("s.one")`, `undefined`},

		{unifiedPing, `JSON.stringify(ping.events)`, `[{"process":"parent","timestamp":12,"category":"cat","name":"method","object":"obj","value":null,"extra":{"k":"v"}},` +
			`{"process":"dynamic","timestamp":13,"category":"cat","name":"other","object":"obj","value":"val"}]`},
		{eventPing, `ping.events[0].name + ping.events.length`, `b1`},
		{gleanPing, `ping.events[0].category + ping.events[0].extra.to`, `navx`},
		{classicPing, `ping.events.length`, `0`},

		{unifiedPing, `String(ping.histogram("H").counts) + " " + ping.histogram("H", {process: "content"}).counts`, `0,2,0,0 0,0,0,1`},
		{unifiedPing, `String(ping.histogram("K", {key: "a"}).counts) + " " + ping.histogram("K", {key: "a", process: "content"}).counts`, `0,0,5,0 9,0,0,0`},
		{unifiedPing, `[ping.histogram("K"), ping.histogram("K", {key: "b"}), ping.histogram("H", {process: "gpu"})].join()`, `,,`},

		{gleanPing, `ping.metric("c.one") + ping.metric("s.one") + ping.metric("l.one").x + ping.metric("none")`, `5text2undefined`},
		{unifiedPing, `ping.metric("s.one")`, `undefined`},
		{gleanPing, `const h = ping.histogram("t.one"); [h.kind, h.sum, h.samples, h.counts[h.bounds.indexOf(1)], h.counts[h.bounds.indexOf(2435)]].join()`, `timing,9743,7,3,4`},
		{gleanPing, `const m = ping.histogram("m.one"); [m.kind, m.samples, m.counts[m.bounds.indexOf(511)]].join()`, `memory,1,1`},
		{gleanPing, `ping.histogram("lt.one", {key: "fast"}).samples`, `1`},
		{gleanPing, `[ping.histogram("cu.one"), ping.histogram("lt.one"), ping.histogram("lt.one", {key: "slow"})].join()`, `,,`},
		{gleanPing, `const l = ping.histogram("cu.one", {kind: "linear", range: [1, 20], buckets: 21}); [l.kind, l.sum, l.samples, l.counts[10], l.bounds.length].join()`, `linear,10,1,1,21`},
		{gleanPing, `const e = ping.histogram("lc.one", {key: "a", kind: "exponential", range: [1, 100], buckets: 4}); String(e.counts) + " " + e.bounds`, `1,0,2,0 0,1,10,100`},
		{gleanPing, `ping.histogram("t.one", {kind: "linear", range: [1, 20], buckets: 21}).kind`, `timing`},
		{gleanPing, `[ping.histogram("lc.one", {key: "b", kind: "linear", range: [1, 20], buckets: 21})].join()`, ``},
		{gleanPing, `ping.histogram("t.one").add(ping.histogram("t.one")).samples`, `14`},
	} {
		rt := goja.New()
		r := New(rt, nil)
		rt.Set("ping", r.Ping([]byte(c.ping)))
		got, err := rt.RunString(c.expression)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: %v, %v; want %s", c.expression, got, err, c.want)
		}
	}
}

// TestPlaceIsChecked: a misspelled option is an error, not another histogram.
func TestPlaceIsChecked(t *testing.T) {
	rt := goja.New()
	r := New(rt, nil)
	rt.Set("ping", r.Ping([]byte(unifiedPing)))
	for _, expression := range []string{`ping.histogram("H", {proces: "content"})`, `ping.scalar("s.one", "content")`,
		`ping.scalar("s.one", {buckets: 7})`, `ping.histogram("none", {buckets: 7})`, `ping.histogram("none", {kind: "linear", range: 7, buckets: 7})`,
		`ping.histogram("none", {kind: "timing", range: [1, 10], buckets: 7})`, `ping.histogram("none", {kind: "linear", range: [10, 1], buckets: 7})`} {
		if got, err := rt.RunString(expression); err == nil {
			t.Errorf("%s: %v, want an error", expression, got)
		}
	}
}
