package revisions

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Clients is a Cache for strangers, who may spell one revision in 29 ways, with 12 to 40
// digits. What they cause to be fetched is stored once, under the whole ID. It is safe for
// concurrent use.
type Clients struct{ local Local }

// Clients returns the Cache for strangers.
func (c *Cache) Clients() Clients { return Clients{c.Local()} }

// AtHand is Cache.AtHand.
func (c Clients) AtHand(ref Ref) *Spec { return c.local.AtHand(ref) }

// Spec is Cache.Spec.
func (c Clients) Spec(ctx context.Context, ref Ref) (*Spec, error) {
	stored, err := c.identify(ctx, ref)
	if err != nil {
		return nil, err
	}
	return c.local.cache.Spec(ctx, stored)
}

// Raw is Cache.Raw.
func (c Clients) Raw(ctx context.Context, ref Ref) ([]byte, error) {
	stored, err := c.identify(ctx, ref)
	if err != nil {
		return nil, err
	}
	return c.local.cache.Raw(ctx, stored)
}

// identify returns the name under which ref is stored, or is to be stored. Errors are
// as Spec's.
func (c Clients) identify(ctx context.Context, ref Ref) (Ref, error) {
	stored, err := c.local.find(ref)
	if !errors.Is(err, ErrNotCached) {
		return stored, err
	}
	if len(ref.Revision) == maxDigits {
		return ref, nil
	}
	return c.local.cache.wholeRef(ctx, ref)
}

// wholeRef asks the server for all digits of a revision. Errors are as fetch's.
func (c *Cache) wholeRef(ctx context.Context, ref Ref) (whole Ref, err error) {
	_, err = c.fetchFrom(ctx, ref, "json-rev", "", func(text []byte) error {
		var answer struct {
			Node string `json:"node"`
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return err
		}

		whole, err = NewRef(ref.Repo, answer.Node)
		if err != nil || len(whole.Revision) != maxDigits || !strings.HasPrefix(whole.Revision, ref.Revision) {
			return fmt.Errorf("the server names %.60q", answer.Node)
		}
		return nil
	})
	return whole, err
}
