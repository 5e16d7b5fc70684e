package backend_test

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/aitgithub/telemetry-server/layout/backend"
	"github.com/aitgithub/telemetry-server/layout/backend/backendtest"
)

func TestLocal(t *testing.T) {
	backendtest.Suite(t, func(t *testing.T, files map[string][]byte) backend.Backend {
		dir := t.TempDir()
		for name, text := range files {
			path := filepath.Join(dir, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}

		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { root.Close() })

		return backend.Local{Root: root}
	})
}

func TestBlob(t *testing.T) {
	for name, url := range map[string]func(t *testing.T) string{
		"mem": func(t *testing.T) string {
			return "mem://suite-" + filepath.Base(t.TempDir()) + filepath.Base(filepath.Dir(t.TempDir()))
		},
		"file": func(t *testing.T) string { return "file://" + t.TempDir() },
		"s3":   func(t *testing.T) string { return backendtest.S3(t, &backendtest.Faults{}) },
	} {
		t.Run(name, func(t *testing.T) {
			backendtest.Suite(t, func(t *testing.T, files map[string][]byte) backend.Backend {
				store, err := backend.OpenBlob(url(t))
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { store.Close() })

				for name, text := range files {
					content := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
					if err := store.Put(t.Context(), name, content); err != nil {
						t.Fatal(err)
					}
				}

				return store
			})
		})
	}
}
