package ecma_test

import "testing"

func TestPolyfills(t *testing.T) {
	tests := []struct{ script, want string }{
		{`JSON.stringify(Object.groupBy([1, 2, 3], x => x % 2 ? "odd" : "even"))`, `{"odd":[1,3],"even":[2]}`},
		{`[...Map.groupBy("abca", x => x)].join("|")`, "a,a,a|b,b|c,c"},
		{`[1, 2, 3].values().map(x => x * 2).filter(x => x > 2).toArray().join()`, "4,6"},
		{`function* n() { let i = 0; try { while (true) yield i++ } finally { ended = true } } let ended = false; [n().drop(2).take(3).toArray().join(), ended].join("|")`, "2,3,4|true"},
		{`[1, 2].values().flatMap(x => [x, x]).reduce((a, b) => a + b) + [3].values().some(x => x == 3)`, "7"},
		{`new Set([1, 2]).values().find(x => x > 1) + "," + Iterator.from([5]).every(x => x == 5)`, "2,true"},
		{`try { [].values().map(1) } catch (e) { e.name }`, "TypeError"},
		{`try { [].values().take(-1) } catch (e) { e.name }`, "RangeError"},
		{`class I extends Iterator { next() { return { done: true } } } String(new I() instanceof Iterator) + [].values().map(x => x)[Symbol.toStringTag]`, "trueIterator Helper"},
		{`const o = { a: [1, new Date(5), /x/g, new Map([[1, new Set([2])]])] }; o.o = o; const c = structuredClone(o); [c !== o, c.o === c, c.a[1].getTime(), c.a[2].flags, c.a[3].get(1).has(2)].join()`, "true,true,5,g,true"},
		{`try { structuredClone(() => 1) } catch (e) { e.name }`, "DataCloneError"},
		{`[Math.sumPrecise([1e308, 1e308, -1e308]), Math.sumPrecise([0.1, 0.2, 0.3]), Math.sumPrecise([1, 1e100, 1, -1e100]), Object.is(Math.sumPrecise([]), -0)].join()`, "1e+308,0.6,2,true"},
		{`"\uD800a".isWellFormed() + "," + "😀".isWellFormed() + "," + "\uD800a".toWellFormed().charCodeAt(0)`, "false,true,65533"},
		{`typeof Promise.withResolvers().resolve + typeof Array.fromAsync([1]).then`, "functionfunction"},
		{`Object.keys(Object).length + Object.keys([].values()).length + Object.getOwnPropertyDescriptor(Object, "groupBy").enumerable`, "0"},
	}
	for _, tt := range tests {
		if got := run(t, tt.script); got != tt.want {
			t.Errorf("%s\n\tgot  %s\n\twant %s", tt.script, got, tt.want)
		}
	}
}
