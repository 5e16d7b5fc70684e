package ui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

//go:embed web vendor
var embedded embed.FS

// Files returns what the page consists of, by its path in URLs.
func Files() map[string][]byte {
	files := map[string][]byte{}
	for _, folder := range []string{"web", "vendor"} {
		err := fs.WalkDir(embedded, folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !served(name) {
				return err
			}

			// The page is at the root, libraries are below /vendor.
			text, err := embedded.ReadFile(name)
			files["/"+strings.TrimPrefix(name, "web/")] = text
			return err
		})

		if err != nil {
			panic(err) // embedded files can be read
		}
	}

	return files
}

// contentTypes are those of the files that are served; the others are for developers.
var contentTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
}

func served(name string) bool { return contentTypes[path.Ext(name)] != "" }

// file is a file as it is sent.
type file struct {
	text, compressed []byte
	tag              string // a hash of the content: it changes only with the program
}

func newFile(text []byte) file {
	var compressed bytes.Buffer
	writer, _ := gzip.NewWriterLevel(&compressed, gzip.BestCompression) // the level exists
	writer.Write(text)                                                  // into memory
	writer.Close()

	sum := sha256.Sum256(text)
	return file{text, compressed.Bytes(), `W/"` + hex.EncodeToString(sum[:8]) + `"`}
}

// Handler serves the page. Package admin sets its policy and the other headers that forbid
// what the page does not need.
func Handler() http.Handler {
	// Files are compressed when they are first asked for.
	files := map[string]func() file{}
	for name, text := range Files() {
		files[name] = sync.OnceValue(func() file { return newFile(text) })
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path
		if name == "/" {
			name = "/index.html"
		}

		found, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}

		// Browsers revalidate each time, and get 304 while the tag is the same.
		sent := found()
		header := w.Header()
		header.Set("Content-Type", contentTypes[path.Ext(name)])
		header.Set("Cache-Control", "no-cache")
		header.Set("Vary", "Accept-Encoding")
		header.Set("ETag", sent.tag)
		if r.Header.Get("If-None-Match") == sent.tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}

		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			w.Write(sent.compressed)
			return
		}
		w.Write(sent.text)
	})
}
