package engine_test

import (
	"fmt"
	"hash/crc32"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
)

// TestSampleOfClients: a record is in or out by its client, wherever it says who that is;
// what the server stored comes before what can be computed.
func TestSampleOfClients(t *testing.T) {
	const id = "c0ffee00-0000-4000-8000-000000000001"
	sample := int(crc32.ChecksumIEEE([]byte(id)) % 100)
	if sample < 2 || sample > 97 {
		t.Fatal("the tests below need another ID", sample)
	}

	for _, c := range []struct {
		record string
		first  int // the smallest share that has the record; 100: none but all
	}{
		{`{"clientId":"` + id + `"}`, sample + 1},
		{`{"client_id":"` + id + `"}`, sample + 1},
		{`{"clientID":"` + id + `","info":{}}`, sample + 1},
		{`{"ping_info":{},"client_info":{"os":"Linux","client_id":"` + id + `"}}`, sample + 1},
		{`{"\u0063lientId":"\u00630ffee00-0000-4000-8000-000000000001"}`, sample + 1},
		{`{"clientId":"` + id + `","metadata":{"sample_id":0}}`, 1},
		{`{"clientId":null,"metadata":{"sample_id":98}}`, 99},
		{`{"clientId":"` + id + `","metadata":{"sample_id":1000}}`, sample + 1},
		{`{"clientId":7}`, 100},
		{`{"client_info":[]}`, 100},
		{`{}`, 100},
		{`{"clientId":"` + id + `"`, 100}, // no JSON
	} {
		for share := 1; share <= 100; share++ {
			seen := map[string]bool{}
			mapper, err := engine.Sample(keeping{seen: seen}, engine.Share{Records: 1, Clients: share}).NewMapper(t.Context(), engine.Task{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if err := mapper.Map(engine.LineRecord(fmt.Appendf(nil, "id\t%s", c.record)), 0); err != nil {
				t.Fatal(err)
			}
			mapper.Close()
			if got, want := len(seen) == 1, share >= c.first; got != want {
				t.Errorf("%s in %d%%: %v, want %v", c.record, share, got, want)
			}
		}
	}
}
