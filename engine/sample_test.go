package engine_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aitgithub/telemetry-server/engine"
)

// keeping is a Job whose mappers note the lines they get.
type keeping struct {
	engine.Job
	seen map[string]bool
}

func (k keeping) NewMapper(context.Context, engine.Task, engine.Emit) (engine.Mapper, error) {
	return keepingMapper{seen: k.seen}, nil
}

type keepingMapper struct {
	engine.Mapper
	seen map[string]bool
}

func (m keepingMapper) Map(record *engine.Record, _ int64) error {
	line, err := record.Line()
	if err != nil {
		return err
	}
	m.seen[string(line)] = true
	return nil
}

func (m keepingMapper) Close()          {}
func (m keepingMapper) Effects() bool   { return false }
func (m keepingMapper) Lookups() string { return "" }

func TestSample(t *testing.T) {
	sample := func(share float64) map[string]bool {
		seen := map[string]bool{}
		s := engine.Sample(keeping{seen: seen}, engine.Share{Records: share, Clients: 100})
		m, err := s.NewMapper(t.Context(), engine.Task{}, nil)
		if err != nil {
			t.Fatal(err)
		}

		for i := range 20_000 {
			if err := m.Map(engine.LineRecord(fmt.Appendf(nil, "%x-id\t{}", i*7919)), int64(i)); err != nil {
				t.Fatal(err)
			}
		}
		m.Close()
		if s.Mapped() != int64(len(seen)) {
			t.Errorf("%d records mapped, but %d counted", len(seen), s.Mapped())
		}
		return seen
	}

	tenth, half := sample(0.1), sample(0.5)
	if n := len(tenth); n < 1800 || n > 2200 {
		t.Errorf("10%% of 20000 are %d", n)
	}
	for line := range tenth {
		if !half[line] {
			t.Fatalf("%q is among 10%% but not among 50%%", line)
		}
	}
	if n := len(sample(1)); n != 20_000 {
		t.Errorf("100%% are %d of 20000", n)
	}
	if n := len(sample(0)); n != 0 {
		t.Errorf("0%% are %d", n)
	}
}
