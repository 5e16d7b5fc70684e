package worker

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aitgithub/telemetry-server/ingest/convert"
	"github.com/aitgithub/telemetry-server/ingest/ingesttest"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
)

// TestLargePings converts a raw log of small and large pings, with turns and without:
// the records are the same, in the same order.
func TestLargePings(t *testing.T) {
	var submissions []string
	for i := range 60 {
		ping := ingesttest.Ping(`"FLAG":{"values":{"0":1}}`)
		if i%4 == 1 {
			ping = strings.Replace(ping, "{", `{"long":"`+strings.Repeat(fmt.Sprint(i%10), 3<<20)+`",`, 1)
		}
		submissions = append(submissions, fmt.Sprintf("id%d", i), ping)
	}

	var want string
	for _, turns := range []*convert.Turns{nil, convert.NewTurns()} {
		data := ingesttest.DataWith(t, submissions...)
		options := convert.DefaultOptions()
		options.Turns = turns
		stats, err := New(data, Options{Definitions: definitions(t), Convert: options}).ConvertLog(t.Context(), name)
		if err != nil || stats.Records != 60 {
			t.Fatalf("%d records, %v", stats.Records, err)
		}

		segments, err := data.Tree().Segments(t.Context(), layouttest.Everything())
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, segment := range segments {
			text, err := layouttest.ReadSegment(data.Tree(), segment)
			if err != nil {
				t.Fatal(err)
			}
			got += string(text)
		}
		if want == "" {
			want = got
		}
		if got != want {
			t.Error("other records with turns")
		}
	}
}
