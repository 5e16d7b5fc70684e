package rawlog

import (
	"fmt"
	"net/url"
	"strings"
)

const (
	// tooLargeMark begins the last part of the path of a submission that TooLarge made.
	tooLargeMark = "too_large:"
	// placeParts is how many parts the place of such a submission has.
	placeParts = 4
	// maxTooLargePathBytes bounds the part with the original path, so that there is room
	// for a place: a topic has 249 bytes at most.
	maxTooLargePathBytes = MaxPathBytes - 1<<10
	escapedBytes         = 3 // of one byte, at most
)

// TooLarge returns what is stored in place of a submission that is longer than its
// source's limits: its path becomes one that states the place that it came from (four
// parts, such as kafka/topic/0/17), the lengths of body and path, and the path,
// escaped. A path or body that no entry has room for is cut to its beginning. The
// result shares the body, which is perhaps only the beginning of the bodyBytes that the
// original has.
func TooLarge(place string, s Submission, bodyBytes int64) Submission {
	escaped := url.PathEscape(s.Path)
	if len(escaped) > maxTooLargePathBytes {
		escaped = url.PathEscape(s.Path[:min(len(s.Path), maxTooLargePathBytes/escapedBytes)])
	}

	s.Path = fmt.Sprintf("%s/%s%d:%d:%s", place, tooLargeMark, bodyBytes, len(s.Path), escaped)
	s.Body = s.Body[:min(len(s.Body), MaxBodyLimit)]
	return s
}

// ParseTooLarge says whether TooLarge made the path. It returns the length of the
// original body, and the original path; "" if the path has only its beginning.
func ParseTooLarge(path string) (bodyBytes int, original string, ok bool) {
	// Such a path has other parts than an ID alone or an ID with dimensions. One of another
	// namespace begins with a slash.
	if strings.Count(path, "/") != placeParts || strings.HasPrefix(path, "/") {
		return 0, "", false
	}
	text, ok := strings.CutPrefix(path[strings.LastIndexByte(path, '/')+1:], tooLargeMark)
	if !ok {
		return 0, "", false
	}

	var pathBytes int
	var escaped string
	if n, _ := fmt.Sscanf(text, "%d:%d:", &bodyBytes, &pathBytes); n != 2 {
		return 0, "", false
	}
	if fields := strings.SplitN(text, ":", 3); len(fields) == 3 {
		escaped = fields[2]
	}

	original, err := url.PathUnescape(escaped)
	if err != nil || len(original) != pathBytes {
		return bodyBytes, "", true
	}
	return bodyBytes, original, true
}
