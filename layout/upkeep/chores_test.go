package upkeep

import (
	"errors"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/forget"
	"github.com/aitgithub/telemetry-server/layout/layouttest"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// TestChoresNeedTheLock runs every chore while another one holds the lock, in a folder
// and in an object store. It fails for a method of Place without a row here.
func TestChoresNeedTheLock(t *testing.T) {
	chores := map[string]func(*Place) error{
		"Check": func(p *Place) error {
			_, _, err := p.Check(t.Context(), true)
			return err
		},
		"Compact": func(p *Place) error {
			_, err := p.Compact(t.Context(), CompactOptions{Filter: schema.All()})
			return err
		},
		"Expire": func(p *Place) error {
			_, err := p.Expire(t.Context(), ExpireOptions{Now: testNow, KeepDays: 1})
			return err
		},
		"Forget": func(p *Place) error {
			due := &forget.Set{}
			due.Add(forget.Request{ID: forget.ID{1}})
			_, err := p.Forget(t.Context(), ForgetOptions{All: due, Due: due, Now: testNow})
			return err
		},
		"Restore": func(p *Place) error {
			_, _, err := p.Restore(t.Context(), "1")
			return err
		},
		"Empty": func(p *Place) error {
			_, err := p.Empty(t.Context(), "1")
			return err
		},
	}
	methods := reflect.TypeFor[*Place]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if name == "Left" || name == "Forgotten" {
			continue // they only read
		}
		if name != "Close" && chores[name] == nil {
			t.Errorf("the chore %s has no row in this test", name)
		}
	}

	remote, err := Open("file://" + filepath.Join(t.TempDir(), "store"))
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	for kind, place := range map[string]*Place{"folder": In(layouttest.Open(t)), "object store": remote} {
		unlock, err := place.site.lock(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for name, chore := range chores {
			if err := chore(place); !errors.Is(err, layout.ErrBusy) {
				t.Errorf("%s in a %s: %v, want ErrBusy", name, kind, err)
			}
		}
		if err := unlock(); err != nil {
			t.Error(err)
		}
	}
}
