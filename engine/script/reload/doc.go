// Package reload keeps what the files of a folder compile to, and takes over what
// changes there while the program runs. It knows files and a function that
// compiles them, not what they are.
//
//	folder ─► look: read, compare ─► settle ─► compile ─► versions ─► Get
//	            ▲                                 │
//	 fsnotify, every 2 s                          └─► fails: the last good version stays, with the reason
//
// How a change is taken over:
//
//  1. fsnotify tells that something happened in the folder, or it is time to look
//     anyway. All else is decided by what a look finds; an event that is lost, or
//     that nobody sends (a network file system, a symbolic link that leads
//     elsewhere, the folder removed and made again), costs two seconds.
//  2. A look reads every file that counts, and what it imported when it was
//     compiled last, and takes sums. Times and sizes are not asked: they can stay
//     as they were, as after a restored backup.
//  3. A new sum has to stay the same for settleTime: an editor that writes in
//     pieces is not done yet. Then the file is compiled.
//  4. If that works it is the file's version from now on. If not, the version
//     before stays, the reason is kept and logged, and a later look tries again:
//     what the file imports may be mended without it.
//  5. A file that is missing for goneTime is gone, and its version with it: an
//     editor that saves by renaming takes away the old file first.
//  6. While the folder itself is missing or unreadable, everything stays as it is.
//
// Names that begin with "." never count, which leaves out the swap, lock and
// temporary files of most editors and the folders behind a mounted ConfigMap.
package reload
