package spark

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// filesFolder is where the archive has copies of files, by their absolute paths: so
// relative names, also those with "..", mean the same from the copy of the working folder.
const filesFolder = "files"

// writeArchive writes the archive that executors unpack.
func (j *Job) writeArchive(name string) (err error) {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()

	// The program is most of it; the fastest level halves it.
	zip, err := gzip.NewWriterLevel(file, gzip.BestSpeed)
	if err != nil {
		return err
	}
	out := tar.NewWriter(zip)

	if err := addFile(out, "tmrun", j.Program, 0o755); err != nil {
		return fmt.Errorf("program for executors: %w", err)
	}

	// Files lie below one folder by their absolute paths, so that imports find each other.
	wd := path.Join(filesFolder, filepath.ToSlash(j.Dir))
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: wd + "/", Mode: 0o755}); err != nil {
		return err
	}

	// Imports of several scripts may be the same file.
	files := slices.Clone(j.Files)
	slices.Sort(files)
	for _, name := range slices.Compact(files) {
		if err := addFile(out, path.Join(filesFolder, filepath.ToSlash(name)), name, 0o644); err != nil {
			return err
		}
	}

	// Spark runs one command for each task: a script, which first enters the working folder.
	texts := map[string][]byte{
		"map.sh":    startScript(wd, append([]string{"map"}, j.Map...), `--pack "$1"`),
		"reduce.sh": startScript(wd, append([]string{"reduce"}, j.Reduce...), "--pack"),
	}
	for name, text := range j.Texts {
		texts[path.Join(wd, name)] = text
	}

	for name, text := range texts {
		if err := addText(out, name, text); err != nil {
			return err
		}
	}

	return errors.Join(out.Close(), zip.Close())
}

// startScript is a shell script that starts the program in its working folder. last comes
// before the arguments behind "--".
func startScript(wd string, args []string, last string) []byte {
	quoted := ""
	for _, arg := range args {
		// Behind "--" there are no flags, so last goes before it.
		if arg == "--" {
			quoted += " " + last
			last = ""
		}
		quoted += " '" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
	}

	// The script finds the archive by its own path, because Spark may start it anywhere.
	return fmt.Appendf(nil, "here=$(cd \"$(dirname \"$0\")\" && pwd) && cd \"$here/\"'%s' && exec \"$here/tmrun\"%s %s\n",
		strings.ReplaceAll(wd, "'", `'\''`), quoted, last)
}

// AddFile adds a file by its name, with the absolute paths of what it imports, and returns
// its name for the arguments of map and reduce. A name of no file is that of something
// shipped, and stays.
func (j *Job) AddFile(name string, imports []string) (string, error) {
	if _, err := os.Stat(name); err != nil {
		return name, nil
	}

	own, err := filepath.Abs(name)
	if err != nil {
		return "", err
	}

	j.Files = append(append(j.Files, own), imports...)

	// The folders above modules may say where these begin.
	for _, imported := range imports {
		for dir := filepath.Dir(imported); ; dir = filepath.Dir(dir) {
			manifest := filepath.Join(dir, "package.json")
			if info, err := os.Stat(manifest); err == nil && info.Mode().IsRegular() {
				j.Files = append(j.Files, manifest)
			}
			if dir == filepath.Dir(dir) {
				break
			}
		}
	}

	// An absolute path is this machine's; executors resolve names in the working folder.
	if filepath.IsAbs(name) {
		return filepath.Rel(j.Dir, own)
	}
	return name, nil
}

func addFile(out *tar.Writer, name, from string, mode int64) error {
	file, err := os.Open(from)
	if err != nil {
		return err
	}
	defer file.Close()

	info, err := file.Stat()
	if err != nil {
		return err
	}

	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: info.Size()}); err != nil {
		return err
	}

	_, err = io.Copy(out, file)
	return err
}

func addText(out *tar.Writer, name string, text []byte) error {
	if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err := out.Write(text)
	return err
}
