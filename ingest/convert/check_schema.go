package convert

import (
	"fmt"
	"strings"

	"github.com/aitgithub/telemetry-server/ingest/convert/schemas"
	"github.com/aitgithub/telemetry-server/ingest/rawlog"
	"github.com/aitgithub/telemetry-server/layout/schema"
)

// maxSaidPlaces bounds the places that a message says.
const maxSaidPlaces = 10

// checkSchema checks the ping that was converted against its JSON Schema. The error is a
// *Rejection. A deletion request is heeded whatever its form.
func (c *Converter) checkSchema(from *received, r *Record) error {
	checker := c.options.Schemas
	if checker == nil || !c.CheckAll && !checker.Sampled(from.path.ID) {
		return nil
	}

	// What the path does not say the ping does.
	subject := schemas.Subject{Namespace: from.path.Namespace, Type: from.path.Type, Version: from.path.Version}
	subject.IsGlean = strings.HasPrefix(from.submission.Request.Get(rawlog.FieldTelemetryAgent), "Glean/")
	if subject.Type == "" {
		subject.Type = r.Dims[schema.Reason]
	}
	if subject.Version == "" {
		subject.Version = c.document.version(c.values)
	}

	places, all, known := checker.Check(subject, c.document.text)
	c.FailedPlaces = places
	if !c.CheckAll {
		checker.Count(known, places)
	}
	if len(places) == 0 || !checker.Quarantine || len(r.Forget) > 0 {
		return nil
	}

	var said []string
	for _, place := range places[:min(len(places), maxSaidPlaces)] {
		said = append(said, place.String())
	}
	return reject(ClassSchema, fmt.Sprintf("%s/%s.%s: %d places fail: %s",
		subject.Namespace, subject.Type, subject.Version, all, strings.Join(said, ", ")))
}
