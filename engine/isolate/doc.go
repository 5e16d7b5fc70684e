// Package isolate runs map and reduce tasks in other processes, which can be
// bounded in memory and killed, as the JavaScript interpreter cannot.
//
// A child (Server) does one task after the other, so that starting it, which
// takes some 20 ms of processor time, is paid once per worker and not once per
// task. Every task has a runtime of its own there. A child in which anything went
// wrong, or that had to be killed, is not used again. Between the two go
//
//	standard input     per task: a chunk with the Task, chunks of lines, an end
//	standard output    per task: chunks of lines or rows, an end
//	file descriptor 3  per task: its Status, a JSON document
//
// A chunk is its length as a uvarint, then the bytes; a length of 0 is an end.
// Lines and rows are those of package engine's streams: a task's input and output
// are what `tmrun map` and `tmrun reduce` read and write. The child gets no
// environment but what Job.Command sets, and needs no files: the data come
// through the pipe.
package isolate
