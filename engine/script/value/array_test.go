package value

import (
	"fmt"
	"testing"
)

// TestEndsOfArrays reads the last elements of arrays, which needs no index of all, and
// compares with what JavaScript's own JSON.parse gives.
func TestEndsOfArrays(t *testing.T) {
	const text = `{"flat":[0,0,3,4.5,0,0,0,1e2,null,true, 7 ,12,-1],"nested":[1,"],[",[2,3]],"words":["a,b","]"],"empty":[ ],"one":[5]}`

	for _, expr := range []string{
		`(h => [h[h.length - 1], h[h.length - 5], h[h.length - 8], h[h.length - 9], h[h.length], h[0], h[-1], h[h.length - 5]])(p.flat)`,
		`(h => { const read = []; for (let i = h.length - 1; i >= 0; i--) read.push(h[i]); return read })(p.flat)`,
		`(h => { const read = []; for (let i = 0; i < h.length; i++) read.push(h[i]); return read })(p.flat)`,
		`(h => { h.length; h[h.length - 2] = "x"; return [h[h.length - 2], h.at(-5), h.length, h] })(p.flat)`,
		`(h => { h.length -= 5; return [h[h.length - 1], h.length] })(p.flat)`,
		`(h => [h.length, h.pop(), h[h.length - 1], h.length])(p.flat)`,
		`(h => [h.length, h[h.length - 1] === h[h.length - 1], h[h.length - 2], h[h.length - 3]])(p.nested)`,
		`(h => [h.length, h[h.length - 1], h[h.length - 2]])(p.words)`,
		`(h => [h.length, h[h.length - 1], h[0]])(p.empty)`,
		`(h => [h.length, h[h.length - 1], h[h.length - 5], "0" in h, "1" in h])(p.one)`,
	} {
		t.Run(expr, func(t *testing.T) {
			rt, _ := withPing(text)
			rt.Set("text", text)

			var read [2]string
			for i, ping := range []string{"ping", "JSON.parse(text)"} {
				v, err := rt.RunString(fmt.Sprintf("((p) => JSON.stringify([%s]))(%s)", expr, ping))
				if err != nil {
					t.Fatal(err)
				}
				read[i] = v.String()
			}
			if read[0] != read[1] {
				t.Errorf("got %s, JSON.parse gives %s", read[0], read[1])
			}
		})
	}
}

// TestEndOfArrayIsStale reads the end of an array whose ping is gone.
func TestEndOfArrayIsStale(t *testing.T) {
	rt, r := withPing(`{"h":[1,2,3]}`)
	if _, err := rt.RunString("var h = ping.h; var last = h[h.length - 1]"); err != nil {
		t.Fatal(err)
	}

	r.NextPing()
	if v, err := rt.RunString("h[2]"); err == nil {
		t.Errorf("got %v of a ping that is gone", v)
	}
}
