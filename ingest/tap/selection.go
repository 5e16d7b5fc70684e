package tap

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// Parameters are the names of the parameters of the query. All that are given must
// hold.
var Parameters = []string{"tag", "source_tag", "namespace", "type", "where"}

// selection says which submissions a listener sees.
type selection struct {
	tag, sourceTag, namespace, kind string        // "": any
	where                           schema.Filter // of the partition that a record goes to
	hasWhere                        bool
}

// parseSelection reads the query of a listener. Its error is for people.
func parseSelection(query url.Values) (s selection, err error) {
	// A mistyped parameter must not select everything.
	for name := range query {
		if !slices.Contains(Parameters, name) {
			return s, fmt.Errorf("no parameter %q; there are %s", name, strings.Join(Parameters, ", "))
		}
	}

	s.tag, s.sourceTag = query.Get("tag"), query.Get("source_tag")
	s.namespace, s.kind = query.Get("namespace"), query.Get("type")

	// Conditions must all hold.
	s.where = schema.All()
	for _, text := range query["where"] {
		condition, err := schema.ParseWhere(text)
		if err != nil {
			return s, err
		}

		s.where, s.hasWhere = s.where.Where(condition.Dim, condition.Values), true
	}

	return s, nil
}

// selects says whether a submission is selected, as far as its request says that.
func (s *selection) selects(sub *rawlog.Submission) bool {
	// The cheap conditions first: the path is parsed only if one is about it.
	if s.tag != "" && sub.Request.Get(rawlog.FieldDebugID) != s.tag {
		return false
	}
	if s.sourceTag != "" && !hasTag(sub.Request.Get(rawlog.FieldSourceTags), s.sourceTag) {
		return false
	}
	if s.namespace == "" && s.kind == "" {
		return true
	}

	path, _ := schema.ParseSubmissionPath(sub.Path)
	return (s.namespace == "" || path.Namespace == s.namespace) && (s.kind == "" || path.Type == s.kind)
}

// hasTag says whether a list of tags, separated by commas, has one.
func hasTag(list, tag string) bool {
	for item := range strings.SplitSeq(list, ",") {
		if strings.TrimSpace(item) == tag {
			return true
		}
	}
	return false
}
