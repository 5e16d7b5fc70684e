package layout

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// Expire removes every segment, quarantined ones too, whose submission date is
// before the day of that time, and then empty folders. It returns what it
// removed, or in a dry run would remove. ErrBusy while Compact runs.
func (d *Data) Expire(ctx context.Context, before time.Time, dryRun bool) ([]Segment, error) {
	expire := d.expire
	if d.remote != nil {
		expire = d.remote.expire
	}
	gone, err := expire(ctx, before.UTC().AddDate(0, 0, -1).Format("20060102"), dryRun)
	if err != nil {
		err = fmt.Errorf("expire: %w", err)
	}
	return gone, err
}

func (d *Data) expire(ctx context.Context, last string, dryRun bool) ([]Segment, error) {
	lock, err := d.lockCompaction()
	if err != nil {
		return nil, err
	}
	defer lock.Close()
	w := walk{t: d.Tree(), f: upTo(last)}
	if err := w.all(ctx); err != nil || dryRun {
		return w.found, err
	}
	touched := map[string]bool{}
	for _, s := range slices.Concat(w.hidden, w.found) { // hidden ones must not come back
		if err := d.disk.remove(s.Path); err != nil {
			return nil, err
		}
		touched[path.Dir(s.Path)] = true
	}
	if err := d.syncDirs(touched); err != nil {
		return nil, err
	}
	for dir := range touched {
		for strings.Contains(dir, "/") && d.disk.remove(dir) == nil { // fails when not empty
			dir = path.Dir(dir)
		}
	}
	return w.found, nil
}

// upTo selects everything submitted until that day.
func upTo(last string) Filter {
	first := "00000101" // 00000000 stands for a torn clock
	f := All().Where(Date, Between(&first, &last))
	f.IncludeInvalid = true
	return f
}
