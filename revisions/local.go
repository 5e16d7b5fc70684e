package revisions

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// Local is the definitions that a Cache has on disk. It never asks the server, so that
// strangers may ask it. It is safe for concurrent use.
type Local struct{ cache *Cache }

// Local returns the definitions on disk.
func (c *Cache) Local() Local { return Local{c} }

// Spec is Cache.Spec for what is on disk; everything else is ErrNotCached.
func (l Local) Spec(ctx context.Context, ref Ref) (*Spec, error) {
	cached, err := l.find(ref)
	if err != nil {
		return nil, err
	}
	return l.cache.Spec(ctx, cached)
}

// AtHand is Cache.AtHand.
func (l Local) AtHand(ref Ref) *Spec { return l.cache.AtHand(ref) }

// Raw is Cache.Raw for what is on disk; everything else is ErrNotCached.
func (l Local) Raw(_ context.Context, ref Ref) ([]byte, error) {
	cached, err := l.find(ref)
	if err != nil {
		return nil, err
	}
	return l.cache.readDisk(cached)
}

// find returns the revision on disk that ref, which may be shortened, stands for.
func (l Local) find(ref Ref) (Ref, error) {
	if l.cache.Has(ref) {
		return ref, nil
	}
	notCached := fmt.Errorf("revision %s: %w", ref, ErrNotCached)
	if l.cache.root == nil {
		return ref, notCached
	}

	folders, err := fs.Glob(l.cache.root.FS(), path.Join(ref.Repo, ref.Revision+"*"))
	if err != nil {
		return ref, fmt.Errorf("revision %s: %w", ref, err)
	}
	for _, folder := range folders {
		whole, err := NewRef(ref.Repo, strings.TrimPrefix(folder, ref.Repo+"/"))
		if err == nil && l.cache.Has(whole) {
			return whole, nil
		}
	}
	return ref, notCached
}
