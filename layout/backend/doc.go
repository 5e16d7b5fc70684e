// Package backend is where files lie, and how they change: a folder of this machine
// or an object store. It knows nothing of what is in the files.
//
// In come names and bytes; what is named is durable, whole, and there all at once
// with what belongs to it.
//
//	        List, Open                    Stage … Commit, Settle
//	Backend ◄──────────┬── Local          Folder ──► Disk ──► os.Root
//	                   └── Blob ◄───────────┘ Remote
//
// # Changing a Folder
//
//  1. Stage makes and locks a folder for what is being prepared, finishes what was
//     committed there before, and removes the rest.
//  2. The owner puts files there with Disk, and syncs each.
//  3. Commit syncs the folder, writes the file COMMIT and renames it into place.
//     Before that rename nothing has happened, after it nothing can stop it.
//  4. Settle does what COMMIT says, step by step: rename (or upload) the staged
//     files, sync the folders they came to, retire, remove. A step that was done is
//     no step, so that it may be repeated; after a crash plan proves first that it was.
//     Then COMMIT is removed, then the rest.
//
// Died before 3 is done: Recover, or the next Stage, drops what was staged. Died
// later: they repeat 4.
//
// # Object stores
//
// An object appears whole or not at all; what the store says of an upload is compared
// with what was sent (package objects). What must exist once (Blob.Lock) is made
// by a conditional write. Requests that fail are made again, up to blobTries times.
//
// An object that is read in order (File.Ahead) is fetched by a goroutine while what
// came before is used: one request for the whole range, 4 MiB ahead at most. When it
// breaks off, another request goes on at the byte that is missing.
//
// # To add a backend
//
// For an object store, see package objects. For another kind, implement Backend, and
// let layout.OpenTree open it. Run TestObjectStores of package upkeep, the suite of a
// whole data folder, on it.
package backend
