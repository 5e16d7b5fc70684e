// Package spark runs the tasks of a job on a Spark cluster. In comes a plan; out go the
// packed rows of each shard, which engine.MergeRows puts in order. Spark schedules the
// tasks, repeats those that a machine has lost, and shuffles; the program itself maps and
// reduces, as `tmrun map --pack` and `tmrun reduce --pack`.
//
// Job.Run:
//
//  1. The program, the script with what it imports, the filter and two shell scripts that
//     start map and reduce become an archive, which Spark unpacks on every machine.
//  2. spark-submit runs driver.py here. It cuts the tasks into partitions of about the
//     same size, pipes each through map, shuffles the packed pairs by their shard, and
//     pipes each shard through reduce.
//  3. What ends a task is a line of its output that begins with "!". The driver collects
//     these in an accumulator, by number, so that a task that ran twice counts once, and
//     prints them here as events while the job runs. An error of a task does not fail it
//     in Spark's eyes, because it would only happen again: when all tasks before it are
//     done, the job ends with it, as in the local engine.
//  4. The rows of the shards come back as files of the work folder.
//
// What does fail a task in Spark's eyes is a process that died. Spark starts it again,
// elsewhere, and the same task writes the same lines.
package spark
