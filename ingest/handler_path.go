package ingest

import (
	"net/http"
	"strings"

	"github.com/aitgithub/telemetry-server/layout/schema"
)

const (
	// submitPrefix begins the path of every submission, validatePrefix that of one that is
	// converted, but not stored.
	submitPrefix   = "/submit/"
	validatePrefix = "/validate/"
	// telemetryPart follows them in the predecessor's paths.
	telemetryPart = schema.TelemetryNamespace + "/"
)

// path returns the path of a submission as the raw log holds it, from the request's
// target behind a prefix. It is not decoded: an encoded slash must not become a level. If
// it reports false it has answered.
func (h *handler) path(w http.ResponseWriter, r *http.Request, prefix string) (path string, ok bool) {
	name, ok := strings.CutPrefix(targetOf(r), prefix)
	if !ok {
		answerNotFound.send(w)
		return "", false
	}

	// The predecessor's paths are stored as it stored them. A client that retries after an
	// error would send one that is too long for ever; clients of the other paths do not.
	if legacy, ok := strings.CutPrefix(name, telemetryPart); ok {
		switch slashes := strings.Count(legacy, "/"); {
		case len(legacy) > h.o.MaxPath:
			answerPathLimit.send(w, len(legacy), h.o.MaxPath)
			return "", false
		case legacy != "" && (slashes == 0 || slashes == len(schema.URLOrder)):
			return legacy, true
		}
	}

	// Any other namespace, or the type, version and ID of a document of this one.
	submitted, ok := schema.ParseGenericPath(name)
	switch {
	case len(name) >= h.o.MaxPath:
		answerURILimit.send(w, len(name), h.o.MaxPath)
		return "", false
	case !ok || submitted.Namespace == schema.TelemetryNamespace && !isNumber(submitted.Version):
		answerNotFound.send(w)
		return "", false
	}
	return "/" + name, true
}

// targetOf returns the path of the request's target, not decoded.
func targetOf(r *http.Request) string {
	// The router's path is decoded, so the target is cut here.
	target := r.RequestURI
	if !strings.HasPrefix(target, "/") { // absolute form, as proxies send it
		target = r.URL.EscapedPath()
	}

	target, _, _ = strings.Cut(target, "?")
	return target
}

// isNumber says whether text is digits only.
func isNumber(text string) bool { return strings.Trim(text, "0123456789") == "" && text != "" }
