package schema

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// Indexes of the dimensions, in schema order.
const (
	Reason = iota
	AppName
	Channel
	Version
	BuildID
	SubmissionDate
	NumDims
)

// dimensions has a row for each dimension, with everything in which dimensions differ.
// Documents, URLs and the paths of segments follow from it.
var dimensions = [NumDims]struct {
	// name is the field name, as the schema document, filters and scripts spell it.
	name string
	// inURL is the place in a submission's URL behind the document ID, from 1; 0 if
	// the server sets the value.
	inURL int
	// inFileName says that the value is a part of a segment's file name. Others are a
	// folder each, above all of these.
	inFileName bool
	// hasDashes says that values keep their dashes, as the types and namespaces of
	// current clients have them.
	hasDashes bool
}{
	Reason:         {name: "reason", inURL: 1, hasDashes: true},
	AppName:        {name: "appName", inURL: 2, hasDashes: true},
	Channel:        {name: "appUpdateChannel", inURL: 4},
	Version:        {name: "appVersion", inURL: 3},
	BuildID:        {name: "appBuildID", inURL: 5, inFileName: true},
	SubmissionDate: {name: "submission_date", inFileName: true},
}

var (
	// DimNames are the field names of the dimensions in schema order.
	DimNames = dimNames()
	// URLOrder holds the indexes of the dimensions that a submission's URL has, in its
	// order behind the document ID.
	URLOrder = urlOrder()
	// FolderDims is how many dimensions, the first ones, are folders; the others are
	// in the names of the files.
	FolderDims = folderDims()
)

func dimNames() (names [NumDims]string) {
	for dim, row := range dimensions {
		names[dim] = row.name
	}
	return names
}

func urlOrder() (order []int) {
	// Places count from 1; the dimensions that are not in the URL have 0.
	for place := 1; place <= NumDims; place++ {
		for dim, row := range dimensions {
			if row.inURL == place {
				order = append(order, dim)
			}
		}
	}
	return order
}

func folderDims() (folders int) {
	for _, row := range dimensions {
		if !row.inFileName {
			folders++
		}
	}
	return folders
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

// ParseDims splits what String joins: "reason/app/channel/version/build/date".
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

// Dir returns the folder of the partition in a tree of partitions.
func (d Dims) Dir() string { return path.Join(d.pathNames()[:FolderDims]...) }

// FilePrefix returns how the names of the partition's files begin in Dir; a "." and
// the rest of the name follow.
func (d Dims) FilePrefix() string { return strings.Join(d.pathNames()[FolderDims:], ".") }

// pathNames returns how the values stand in paths.
func (d Dims) pathNames() []string {
	names := make([]string, NumDims)
	for dim, value := range d {
		names[dim] = pathName(value)
	}
	return names
}

// ParseFileName fills d with what a file name says of the partition, see FilePrefix,
// and returns what follows behind the ".". A name of another shape is not ok.
func (d *Dims) ParseFileName(name string) (rest string, ok bool) {
	// A value in a file name has no dot (Sanitise), so each ends at the next one.
	for dim := FolderDims; dim < NumDims; dim++ {
		value, behind, found := strings.Cut(name, ".")
		if !found || value == "" || dim == SubmissionDate && !Date(value).WellFormed() {
			return "", false
		}

		d[dim] = ValueOfName(value)
		name = behind
	}

	return name, true
}

// SplitSubmissionPath splits the path of a submission, which is a document ID,
// alone or followed by the dimensions of URLOrder. The dimensions are as the
// URL claims them, "" where it claims none. A path of another shape is not ok.
func SplitSubmissionPath(submissionPath string) (id string, claimed Dims, ok bool) {
	parts := strings.Split(submissionPath, "/")
	switch len(parts) {
	case 1:
		// A client may send the ID alone; then the ping has all dimensions.
	case 1 + len(URLOrder):
		for i, dim := range URLOrder {
			claimed[dim] = parts[1+i]
		}
	default:
		return "", Dims{}, false
	}

	return parts[0], claimed, true
}

// SubmissionPath joins what SplitSubmissionPath splits.
func SubmissionPath(id string, claimed Dims) string {
	parts := []string{id}
	for _, dim := range URLOrder {
		parts = append(parts, claimed[dim])
	}

	return strings.Join(parts, "/")
}

// DimIndex returns the index of the dimension with that field name, or -1.
func DimIndex(name string) int {
	return slices.Index(DimNames[:], name)
}

// oldReasons are the reasons whose dash was replaced before other values kept theirs. They
// stay as they are, because stores and scripts have them.
var oldReasons = map[string]string{
	"idle-daily":         "idle_daily",
	"saved-session":      "saved_session",
	"android-anr-report": "android_anr_report",
	"flash-video":        "flash_video",
}

// Sanitise returns the form of value that may stand in a path as dimension dim.
// Bytes outside [a-zA-Z0-9_.] become "_", but dashes in reasons and applications stay,
// except in oldReasons. So does a leading "." become "_", and, in a dimension
// that is part of a file name (whose parts "." separates), every ".". The empty value
// becomes UNKNOWN. A value longer than 120 bytes is cut. The result holds no separator,
// is never "", "." or "..", and Sanitise of it is itself.
func Sanitise(dim int, value string) string {
	if value == "" {
		return Unknown
	}

	// A part of a long value would keep all of it in memory.
	if len(value) > maxDimBytes {
		value = strings.Clone(value[:maxDimBytes])
	}
	if old, ok := oldReasons[value]; ok && dim == Reason {
		return old
	}

	// Nearly all values are clean: only the others are copied.
	for i := range len(value) {
		if !isClean(dim, i, value[i]) {
			return sanitiseFrom(dim, i, []byte(value))
		}
	}
	return value
}

// sanitiseFrom replaces the bytes of value that are not clean; those before start are.
func sanitiseFrom(dim, start int, value []byte) string {
	for i := start; i < len(value); i++ {
		if !isClean(dim, i, value[i]) {
			value[i] = '_'
		}
	}
	return string(value)
}

// isClean says whether the byte c may stand at index i of a value of dimension dim.
func isClean(dim, i int, c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
		return true
	case c == '-':
		return dimensions[dim].hasDashes
	case c == '.':
		return i > 0 && !dimensions[dim].inFileName
	}
	return false
}
