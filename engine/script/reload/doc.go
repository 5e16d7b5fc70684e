// Package reload compiles the files of a folder, and again those that change while
// the program runs. It knows files and a function that compiles them, not what
// they are.
//
//	folder ─► look: read, compare ─► settle ─► compile ─► versions ─► Get
//	            ▲                                 │
//	 fsnotify, every 2 s                          └─► fails: the last good version stays, with the reason
//
// How a change becomes the version in use:
//
//  1. fsnotify reports that something happened in the folder, or pollTime is over.
//     What a look finds decides all else. Some changes have no event: on a network
//     file system, behind a symbolic link, of a folder that was removed and made
//     again. They are found two seconds later.
//  2. A look reads every file that counts, and what it imported when it was
//     compiled last, and computes sums. Times and sizes would not do: they can stay
//     as they were, as after a restored backup.
//  3. A new sum has to stay the same for settleTime: an editor that writes in
//     several steps is not done yet. Then the file is compiled.
//  4. If that works it is the file's version from now on. If not, the version
//     before stays, the reason is published and logged, and a later look tries
//     again: the fault may be in a file that it imports.
//  5. A file that is missing for goneTime is gone, and its version with it: an
//     editor that saves by renaming removes the old file first.
//  6. While the folder itself is missing or unreadable, everything stays as it is.
//
// Names that begin with "." never count, which leaves out the swap, lock and
// temporary files of most editors and the folders behind a mounted ConfigMap.
package reload
