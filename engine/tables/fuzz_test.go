package tables

import "testing"

// FuzzMerge: bytes that no table has written are an error or a result, never a panic.
func FuzzMerge(f *testing.F) {
	for i := range kinds {
		f.Add(i, []byte{1, 2, 3}, []byte{1})
		f.Add(i, []byte{2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 200, 200, 1, 1, 1}, []byte{1, 1, 1, 5, 1, 0, 0, 0, 0, 0})
		f.Add(i, []byte{0xe9, 7, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, []byte{3})
	}

	f.Fuzz(func(t *testing.T, n int, a, b []byte) {
		table := &Table{Name: "t", Kind: kinds[uint(n)%uint(len(kinds))].name, Keys: []string{"key"}}
		if err := table.Complete(); err != nil {
			t.Fatal(err)
		}
		if table.spec.make == nil {
			return
		}

		total := table.spec.make(table)
		if total.merge(a) != nil || total.merge(b) != nil {
			return
		}
		if err := table.spec.make(table).merge(total.append(nil)); err != nil {
			t.Errorf("%s: what %x and %x make cannot be read: %v", table.Kind, a, b, err)
		}
		if result, ok := total.(celled); ok {
			result.cells(nil)
		}
	})
}
