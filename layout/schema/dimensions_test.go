package schema

import (
	"bytes"
	"os"
	"regexp"
	"slices"
	"testing"
)

// TestDimensions fails for a dimension whose row is missing or does not fit the
// others.
func TestDimensions(t *testing.T) {
	for i, d := range dimensions {
		if d.name == "" || DimIndex(d.name) != i {
			t.Errorf("dimension %d: name %q is missing or taken", i, d.name)
		}

		inURL := slices.Index(URLOrder, i) + 1
		if i != SubmissionDate && (d.inURL == 0 || d.inURL != inURL) {
			t.Errorf("dimension %s: place %d in the URL is missing, taken, or leaves a gap", d.name, d.inURL)
		}
		if d.inFileName != (i >= FolderDims) {
			t.Errorf("dimension %s: folders come first in schema order", d.name)
		}
	}

	// The built-in document names all of them; those that it left out would allow
	// anything.
	if got := bytes.Count(defaultText, []byte(`"field_name"`)); got != NumDims {
		t.Errorf("the built-in schema has %d dimensions, want %d", got, NumDims)
	}
}

// TestPicturesOfPaths counts the dimensions in the pictures of paths, in documents that
// do not follow from the table.
func TestPicturesOfPaths(t *testing.T) {
	for file, picture := range map[string]string{
		"../FORMAT.md": `(?m)^    published/(.*)\.v<N>`,
		"doc.go":       `(?m)^//\t(<reason>.*)…$`,
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		path := regexp.MustCompile(picture).FindSubmatch(text)
		if path == nil || bytes.Count(path[1], []byte("<")) != NumDims || bytes.Count(path[1], []byte("/")) != FolderDims {
			t.Errorf("%s: the path %s, want %d dimensions, of which %d are folders", file, path, NumDims, FolderDims)
		}
	}
}

// TestPartitionPath compares paths with the form that FORMAT.md has, both ways.
func TestPartitionPath(t *testing.T) {
	d, err := ParseDims("saved_session/Firefox/nightly/26.0a1/20130909030204/20130910")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := d.Dir()+"/"+d.FilePrefix(), "saved_session/Firefox/nightly/26.0a1/20130909030204.20130910"; got != want {
		t.Errorf("path %s, want %s", got, want)
	}

	var back Dims
	copy(back[:FolderDims], d[:])
	rest, ok := back.ParseFileName(d.FilePrefix() + ".v2.log.x.zst")
	if !ok || back != d || rest != "v2.log.x.zst" {
		t.Errorf("ParseFileName: %v, %q, %v; want %v", back, rest, ok, d)
	}
	for _, bad := range []string{"", "b", "b.20130910", ".20130910.log", "b.2013091x.log", "b.2013.log"} {
		if _, ok := back.ParseFileName(bad); ok {
			t.Errorf("ParseFileName(%q) succeeded", bad)
		}
	}
}

// TestSubmissionPath checks the predecessor's order, in which clients send.
func TestSubmissionPath(t *testing.T) {
	claimed := Dims{Reason: "r", AppName: "a", Channel: "c", Version: "v", BuildID: "b"}
	joined := SubmissionPath("id", claimed)
	if joined != "id/r/a/v/c/b" {
		t.Errorf("SubmissionPath = %s", joined)
	}

	id, back, ok := SplitSubmissionPath(joined)
	if id != "id" || back != claimed || !ok {
		t.Errorf("SplitSubmissionPath = %q, %v, %v", id, back, ok)
	}
	if _, _, ok := SplitSubmissionPath("id/r/a"); ok {
		t.Error("SplitSubmissionPath took a path of three parts")
	}
}
