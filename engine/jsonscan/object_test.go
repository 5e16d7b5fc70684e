package jsonscan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

func TestObject(t *testing.T) {
	text := []byte(` { "a" : 1 , "b":{"c":[2]},"\u0061":"x", "d":null} `)
	var o Object
	end, err := o.Index(text, 0)
	if err != nil || end != len(text)-1 {
		t.Fatalf("Index = %d, %v", end, err)
	}

	var got []string
	for i := range o.Members {
		m := &o.Members[i]
		got = append(got, fmt.Sprintf("%s=%s %v", o.Key(m), o.Value(m), o.Counts(i)))
	}
	want := `a=1 false, b={"c":[2]} true, \u0061="x" true, d=null true`
	if strings.Join(got, ", ") != want {
		t.Errorf("got  %s\nwant %s", strings.Join(got, ", "), want)
	}

	if m := o.Find("a"); m == nil || string(o.Value(m)) != `"x"` {
		t.Error("the last of two members with the same name is found")
	}
	if o.Find("c") != nil {
		t.Error("found a member of a member")
	}
}

// TestObjectRepeats compares with a decoder, for few members and for many.
func TestObjectRepeats(t *testing.T) {
	for _, n := range []int{0, 1, 2, maxPairs, maxPairs + 1, 3 * maxPairs} {
		for _, again := range []bool{false, true} {
			members := []string{}
			for i := range n {
				members = append(members, fmt.Sprintf(`"k%d":%d`, i, i))
			}
			if again {
				members = append(members, `"k0":-1`)
			}
			text := []byte("{" + strings.Join(members, ",") + "}")

			var o Object
			if _, err := o.Index(text, 0); err != nil {
				t.Fatal(err)
			}
			var decoded map[string]int
			if err := json.Unmarshal(text, &decoded); err != nil {
				t.Fatal(err)
			}
			counted := 0
			for i := range o.Members {
				if o.Counts(i) {
					counted++
				}
			}
			if counted != len(decoded) || o.Repeats() != (len(decoded) < len(members)) {
				t.Errorf("%d members: %d count, want %d; repeats: %v", len(members), counted, len(decoded), o.Repeats())
			}
		}
	}
}

func TestObjectVerify(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{`{"a":{"b":[1,2]},"c":3}`, ""},
		{`{"a":{"b":[1,2}},"c":3}`, "unexpected '}', want ',' or ']' at byte 14"},
		{`{"a":{]}","c":3}`, "unexpected ']', want a string at byte 6"},
	} {
		text := []byte(tt.text)
		var o Object
		o.Reset(text)
		it := Members(text, 0)
		for it.Next() {
			skipped := string(it.Key) == "a"
			if skipped {
				it.SetEnd(SkipTrusted(text, it.Start))
			}
			o.Add(&it, skipped)
		}

		err := o.Verify()
		if got := fmt.Sprint(err); got != tt.want && (err != nil || tt.want != "") {
			t.Errorf("%s: got %v, want %s", tt.text, err, tt.want)
		}
		if err == nil && o.Members[0].Unchecked {
			t.Errorf("%s: still unchecked", tt.text)
		}
	}
}

func TestInterner(t *testing.T) {
	in := Interner{}
	text := []byte("nightly")
	first := in.String(text)
	allocs := testing.AllocsPerRun(100, func() {
		if in.String(text) != first {
			t.Error("another string")
		}
	})
	if allocs > 0 {
		t.Errorf("%v allocations for a string that is known", allocs)
	}
}
