package ui

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
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

// Handler serves the page. Package admin sets its policy and the other headers that forbid
// what the page does not need.
func Handler() http.Handler {
	files := Files()

	// A tag is a hash of the content: it changes only with the program.
	tags := map[string]string{}
	for name, text := range files {
		sum := sha256.Sum256(text)
		tags[name] = `"` + hex.EncodeToString(sum[:8]) + `"`
	}

	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name := r.URL.Path
		if name == "/" {
			name = "/index.html"
		}

		text, ok := files[name]
		if !ok {
			http.NotFound(w, r)
			return
		}

		// Browsers revalidate each time, and get 304 while the tag is the same.
		header := w.Header()
		header.Set("Content-Type", contentTypes[path.Ext(name)])
		header.Set("Cache-Control", "no-cache")
		header.Set("ETag", tags[name])
		if r.Header.Get("If-None-Match") == tags[name] {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(text)
	})
}
