package schema

import (
	"fmt"
	"strings"
)

// Indexes of the dimensions, in schema order. A submission's URL has another
// order: see URLOrder.
const (
	Reason = iota
	AppName
	Channel
	Version
	BuildID
	SubmissionDate
	NumDims
)

// URLOrder holds the indexes of the dimensions in the order in which a
// submission's URL has them behind the document ID. The version comes before the
// channel there. The date is missing, because the server sets it.
var URLOrder = [NumDims - 1]int{Reason, AppName, Version, Channel, BuildID}

// DimNames are the field names of the dimensions in schema order, as the schema
// document, filters and scripts spell them.
var DimNames = [NumDims]string{
	"reason", "appName", "appUpdateChannel", "appVersion", "appBuildID", "submission_date",
}

const (
	// Other stands for a value that the schema does not allow.
	Other = "OTHER"
	// Unknown stands for a value that the submission does not have.
	Unknown = "UNKNOWN"
)

// maxDimBytes bounds one sanitised value so that a file name with a build ID, a
// date and the fixed parts stays below the 255 bytes that file systems allow.
const maxDimBytes = 120

// Dims is one value per dimension in schema order. As the dimensions of a
// partition every value is sanitised (see Sanitise); as those of a submission
// the values are as found. It is comparable and may be a map key.
type Dims [NumDims]string

// ParseDims splits "reason/app/channel/version/build/date".
func ParseDims(s string) (Dims, error) {
	var d Dims
	parts := strings.Split(s, "/")
	if len(parts) != NumDims {
		return d, fmt.Errorf("dimensions %q: %d values, want %d", s, len(parts), NumDims)
	}
	copy(d[:], parts)
	return d, nil
}

// String joins the values with "/", in schema order.
func (d Dims) String() string { return strings.Join(d[:], "/") }

// SplitSubmissionPath splits the path of a submission, which is a document ID,
// alone or followed by the five dimensions of URLOrder. The dimensions are as the
// URL claims them, "" where it claims none. A path of another shape is not ok.
func SplitSubmissionPath(submissionPath string) (id string, claimed Dims, ok bool) {
	parts := strings.Split(submissionPath, "/")
	switch len(parts) {
	case 1:
	case 1 + len(URLOrder):
		for i, dim := range URLOrder {
			claimed[dim] = parts[1+i]
		}
	default:
		return "", Dims{}, false
	}

	return parts[0], claimed, true
}

// DimIndex returns the index of the dimension with that field name, or -1.
func DimIndex(name string) int {
	for i, n := range DimNames {
		if n == name {
			return i
		}
	}
	return -1
}

// Sanitise returns the form of v that may stand in a path as dimension dim:
// bytes outside [a-zA-Z0-9_.] become "_", as does a leading "." and, in the
// build ID and the date (which share a file name whose parts "." separates),
// every ".". The empty value becomes UNKNOWN. A value longer than 120 bytes is
// cut. The result holds no separator, is never "", "." or "..", and Sanitise of
// it is itself.
func Sanitise(dim int, v string) string {
	if v == "" {
		return Unknown
	}
	clean := func(i int, c byte) bool {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
			return true
		case c == '.':
			return i > 0 && dim != BuildID && dim != SubmissionDate
		}
		return false
	}
	n := min(len(v), maxDimBytes)
	for i := range n {
		if !clean(i, v[i]) {
			b := []byte(v[:n])
			for j := i; j < n; j++ {
				if !clean(j, b[j]) {
					b[j] = '_'
				}
			}
			return string(b)
		}
	}
	return v[:n]
}
