package value

import (
	"encoding/json"
	"testing"

	"github.com/aitgithub/telemetry-server/engine/jsonscan"
)

// FuzzFromEnd: the members found from the end are those found from the start.
func FuzzFromEnd(f *testing.F) {
	for _, s := range []string{
		`{}`, `{"a":1}`, `{"a":1,"b":[1,"]"],"c":{"d":"\\"}}`, ` { "a" : "x\"" , "b\\" : -1e3 } `, `{"":"","":{}}`,
		`{"a":{"b":[[],{}]},"c":null,"d":true}`, `{"a\"":"{"}`, `{"a":"\\\\\\\""}`,
	} {
		f.Add([]byte(s))
	}

	f.Fuzz(func(t *testing.T, text []byte) {
		open := jsonscan.Space(text, 0)
		ff, ok := newFromEnd(text, open)
		if !ok {
			return
		}
		valid := json.Valid(text) && jsonscan.Valid(text) == nil && text[open] == '{'
		var want []member
		if valid {
			want, _ = (&Runtime{}).index(text, open, false)
		}
		for more := ok; more; {
			var m member
			if m, more, ok = ff.next(); !ok {
				return
			}
			if !valid {
				continue
			}
			w := want[len(want)-1]
			want = want[:len(want)-1]
			if m != w {
				t.Fatalf("%s: member %+v, want %+v", text, m, w)
			}
		}
		if valid && len(want) > 0 {
			t.Fatalf("%s: %d members were not found", text, len(want))
		}
	})
}
