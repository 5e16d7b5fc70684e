package convert

import (
	"errors"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
)

// smallStack is a thousandth of the stack at which Go ends the process. A step that called
// itself for each level of a ping would need more.
const smallStack = 1 << 20

// nests are places of a ping in which n levels lie one in the other.
var nests = map[string]func(n int) string{
	"info":       func(n int) string { return replaced(ingesttest.Ping(``), `"info":{`, `"info":{"a":`+nested(n)+`,`) },
	"top level":  func(n int) string { return replaced(ingesttest.Ping(``), `{`, `{"a":`+nested(n)+`,`) },
	"histograms": func(n int) string { return ingesttest.Ping(`"FLAG":` + nested(n)) },
	"values":     func(n int) string { return ingesttest.Ping(`"FLAG":{"values":` + nested(n) + `}`) },
	"sum":        func(n int) string { return ingesttest.Ping(`"FLAG":{"values":{"0":1},"sum":` + nested(n) + `}`) },
	"payload": func(n int) string {
		return replaced(unifiedPing("main"), `"payload":{`, `"payload":{"a":`+nested(n)+`,`)
	},
	"keyed": func(n int) string {
		return replaced(unifiedPing("main"), `"payload":{`, `"payload":{"keyedHistograms":{"FLAG":`+nested(n)+`},`)
	},
	"Glean": func(n int) string {
		return `{"ping_info":{"seq":1},"client_info":{"a":` + nested(n) + `},"metrics":` + nested(n) + `}`
	},
}

// nested returns n objects and arrays, one in the other.
func nested(n int) string {
	return strings.Repeat(`{"a":[`, n/2) + "1" + strings.Repeat(`]}`, n/2)
}

func replaced(text, old, new string) string { return strings.Replace(text, old, new, 1) }

// TestNoPingEndsTheProcess converts hostile pings, wide and deep, with a small stack. What Go
// cannot recover from is a stack that is exhausted, and memory, which TestMemoryUnderAttack of
// the command bounds. So /validate converts in the process of the server.
func TestNoPingEndsTheProcess(t *testing.T) {
	defer debug.SetMaxStack(debug.SetMaxStack(smallStack))
	options := DefaultOptions()
	converter := newTestConverter(t)

	for _, kinds := range []map[string]func(n int) string{bombs, nests} {
		for name, bomb := range kinds {
			// A megabyte has levels for twenty times the stack; a longer ping only takes longer.
			const some = 1000
			text := bomb(options.MaxUnpacked / 16 / len(bomb(some)) * some)
			for _, path := range []string{"id", "/org-example/metrics/1/id"} {
				sub := rawlog.Submission{Path: path, Body: []byte(text), Time: time.Unix(1378857540, 0)}
				_, err := converter.Convert(t.Context(), &sub)
				if rejection, ok := errors.AsType[*Rejection](err); ok && strings.Contains(rejection.Message, "a bug of the converter") {
					t.Errorf("%s, %s: %v", name, path, err)
				}
			}
		}
	}
}
