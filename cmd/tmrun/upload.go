package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/aitgithub/telemetry-server/cmd/cli"
	"github.com/aitgithub/telemetry-server/layout"
	"github.com/aitgithub/telemetry-server/layout/backend"
)

// upload is the output of a job in an object store. The job writes into a folder of this
// machine, whose files are uploaded when all of them are complete: an object appears whole,
// and is compared with what was sent. The methods of a nil upload do nothing.
type upload struct {
	store *backend.Blob
	dir   string // the folder of this machine
	url   string // of the folder in the store, without parameters, for messages
}

// outputName returns the name in --output, which ends with the ending of the file: the URL of
// an object store may have parameters behind it.
func (c *runCmd) outputName() string {
	if layout.IsURL(c.Output) {
		name, _, _ := strings.Cut(c.Output, "?")
		return name
	}
	return c.Output
}

// openUpload lets the job write on this machine if --output is in an object store. Wrong
// names and credentials are found now, before the work. The caller calls send and close.
func (c *runCmd) openUpload(ctx context.Context) (_ *upload, err error) {
	if !layout.IsURL(c.Output) {
		return nil, nil
	}

	// The folder in the store is a URL of its own, with the same parameters.
	place, err := url.Parse(c.Output)
	if err != nil {
		return nil, cli.Usage("--output: %v", err)
	}
	folder, name := path.Split(place.Path)
	if name == "" && !c.isFolder() {
		return nil, cli.Usage("--output %s names no file: a / at its end makes it a folder", c.outputName())
	}
	place.Path = strings.TrimSuffix(folder, "/")

	u := &upload{url: strings.TrimSuffix(c.outputName(), name)}
	if u.store, err = backend.OpenBlob(place.String()); err != nil {
		return nil, cli.Usage("--output: %v", err)
	}
	defer func() {
		if err != nil {
			u.close()
		}
	}()

	// A listing says whether the store, its bucket and the credentials are right.
	there, err := u.store.List(ctx, ".")
	if err != nil {
		return nil, cli.Named(fmt.Errorf("output %s: %w", u.url, err))
	}
	if u.dir, err = os.MkdirTemp(c.WorkDir, "tmrun-output-*"); err != nil {
		return nil, fmt.Errorf("create folder for the output: %w", err)
	}
	for _, entry := range there {
		if err := c.checkPart(u.url, entry.Name); err != nil {
			return nil, err
		}
	}

	c.Output = filepath.Join(u.dir, name)
	if name == "" {
		c.Output = u.dir + "/"
	}
	return u, nil
}

// send uploads the files. When one fails, those before it are removed, and the files stay on
// this machine.
func (u *upload) send(ctx context.Context) error {
	if u == nil {
		return nil
	}

	entries, err := os.ReadDir(u.dir)
	var sent []string
	for _, entry := range entries {
		if err != nil {
			break
		}
		err = u.store.Put(ctx, entry.Name(), func() (io.ReadCloser, error) { return os.Open(filepath.Join(u.dir, entry.Name())) })
		sent = append(sent, entry.Name())
	}
	if err == nil {
		return nil
	}

	// An interrupt ends ctx, and yet no part of a result may stay. The last one failed, but
	// nothing can be said of the object, so it is removed too.
	for _, name := range sent {
		err = errors.Join(err, u.store.Remove(context.WithoutCancel(ctx), name))
	}
	kept := u.dir
	u.dir = ""
	return cli.WithHint(fmt.Errorf("upload output to %s: %w", u.url, err), "the result is kept in "+kept)
}

// close removes the files of this machine.
func (u *upload) close() {
	if u == nil {
		return
	}
	u.store.Close()
	if u.dir != "" {
		os.RemoveAll(u.dir)
	}
}
