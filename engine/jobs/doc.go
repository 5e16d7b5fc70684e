// Package jobs runs jobs for a server: those of a folder of scripts by their schedule, and
// those that people start. It knows neither HTTP nor JavaScript. In come requests
// (api.Request); out go runs (api.Run) with results and logs.
//
//  1. Start (manager.go) checks a request (request.go), writes its files into a folder of
//     its own, stores the run, and queues it. A full queue is ErrFull.
//  2. Run takes one run after the other and executes it (execute.go) in a process of its
//     own, tmrun --supervised, whose tasks run in further processes with limits. tmrun
//     describe says first what the script exports.
//  3. Its events change the run, which wakes those who watch it (Get).
//  4. When it has ended, its state, counts and results are stored (store.go), and the
//     oldest run of the script is removed.
//
// The rule of a script (alert.go) is applied to each result, or its function is called in a
// process of its own; a change of its state is stored, then reported.
//
// A backfill (backfill.go) starts such runs for one submission date after the other; each
// becomes the result of its day.
//
// Runs that a crash interrupted say so when the folder is opened again. Process by process:
//
//	server ── stdin, open until the job has to end ──► tmrun ──► its tasks (package isolate)
//	       ◄── file descriptor 3: api.Event as JSON lines ──
package jobs
