package value

import (
	"testing"

	"github.com/dop251/goja"
)

// TestSparseHistogram: a histogram as current pings send it, without any definition, is the
// same to a script as one in the stored form.
func TestSparseHistogram(t *testing.T) {
	rt := goja.New()
	r := New(rt, nil)
	rt.Set("ping", r.Ping([]byte(`{"payload":{"info":{"revision":"http://hg.mozilla.org/a/rev/0123456789ab"},"histograms":{
		"LIN":{"bucket_count":4,"histogram_type":1,"sum":70,"range":[10,30],"values":{"0":1,"10":2,"20":1}},
		"EXP":{"range":[1, 16384],"bucket_count":5,"histogram_type":0,"values":{"640":3},"log_sum":1.5},
		"CAT":{"bucket_count":51,"histogram_type":5,"sum":1,"range":[1,50],"values":{"1":1,"2":0}},
		"NOT":{"values":{}},"ODD":{"bucket_count":3,"histogram_type":9,"range":[1,2],"values":{}}}}}`)))
	for expression, want := range map[string]string{
		`JSON.stringify(ping.histogram("LIN"))`:                                                         `{"name":"LIN","kind":"linear","bounds":[0,10,20,30],"counts":[1,2,1,0],"sum":70,"samples":4}`,
		`JSON.stringify(ping.histogram("EXP").bounds)`:                                                  `[0,1,25,640,16384]`,
		`JSON.stringify(ping.histogram("EXP").counts)`:                                                  `[0,0,0,3,0]`,
		`String(ping.histogram("EXP").sum)`:                                                             `undefined`,
		`ping.histogram("CAT").kind + ping.histogram("CAT").counts.length`:                              `categorical51`,
		`String(ping.histogram("NOT")) + ping.histogram("ODD") + ping.histogram("NO")`:                  `undefinedundefinedundefined`,
		`String(ping.histogram("LIN").percentile(50))`:                                                  `15`,
		`(() => { const h = ping.histogram("LIN"); h.add(ping.histogram("LIN")); return h.samples })()`: `8`,
	} {
		got, err := rt.RunString(expression)
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %v; want %s", expression, got, err, want)
		}
	}
}
