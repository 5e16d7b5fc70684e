package schema

import "strings"

// TelemetryNamespace is the namespace of the paths that the predecessor had, and that
// Firefox's own telemetry uses still.
const TelemetryNamespace = "telemetry"

// maxNameBytes bounds a namespace, type or version.
const maxNameBytes = 100

// Submitted is what the path of a submission says.
type Submitted struct {
	// ID is the document ID. It may hold anything but a slash.
	ID string
	// Namespace is TelemetryNamespace, or that of an application, in [a-z0-9-].
	Namespace string
	// Type is that of the document, "" if the path has the ID alone.
	Type string
	// Version is that of the document's schema; "" for the predecessor's paths.
	Version string
	// Claimed are the dimensions as the path says them, "" where it says none.
	Claimed Dims
}

// Generic says whether the path has the form /namespace/type/version/id.
func (s *Submitted) Generic() bool { return s.Version != "" }

// ParseSubmissionPath reads the path of a submission as raw logs hold it:
//
//	id[/reason/appName/appVersion/appUpdateChannel/appBuildID]
//	/namespace/type/version/id
//
// A path of another shape is not ok.
func ParseSubmissionPath(submissionPath string) (s Submitted, ok bool) {
	// An ID is never empty, but for what Kafka or an old client made up.
	if name, isGeneric := strings.CutPrefix(submissionPath, "/"); isGeneric {
		if s, ok := ParseGenericPath(name); ok {
			return s, true
		}
	}

	s.Namespace = TelemetryNamespace
	s.ID, s.Claimed, ok = SplitSubmissionPath(submissionPath)
	s.Type = s.Claimed[Reason]
	return s, ok
}

// ParseGenericPath reads "namespace/type/version/id", as it follows /submit/ in a URL.
// Namespace and type are lower-case letters, digits and "-", at most 100; the version may
// also have "." and upper-case letters. A path of another shape is not ok.
func ParseGenericPath(name string) (s Submitted, ok bool) {
	if strings.Count(name, "/") != 3 {
		return Submitted{}, false
	}

	s.Namespace, name, _ = strings.Cut(name, "/")
	s.Type, name, _ = strings.Cut(name, "/")
	s.Version, s.ID, _ = strings.Cut(name, "/")
	if !IsNamespace(s.Namespace) || !IsNamespace(s.Type) || !isDocumentVersion(s.Version) || s.ID == "" {
		return Submitted{}, false
	}

	// The namespace is the application, for it is what its Glean has as an ID.
	s.Claimed[Reason] = s.Type
	if s.Namespace != TelemetryNamespace {
		s.Claimed[AppName] = s.Namespace
	}
	return s, true
}

// IsNamespace says whether text has the form of a namespace, or of a type in one.
func IsNamespace(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return text != "" && len(text) <= maxNameBytes
}

func isDocumentVersion(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return text != "" && len(text) <= maxNameBytes
}
