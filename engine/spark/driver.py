"""Runs jobs: see doc.go. Its argument is a folder, in which session.go writes a file for each."""

import collections
import itertools
import json
import os
import subprocess
import sys
import threading
import time
import traceback
import zlib

from pyspark import AccumulatorParam, SparkContext, SparkFiles, StorageLevel


def say(**event):
    """Prints an event, a line that spark.go finds among others."""
    sys.stdout.write("\x1e" + json.dumps(event) + "\n")
    sys.stdout.flush()


def piped(command, cpus):
    """RDD.pipe, which would start the program without the executor's environment, where the
    credentials for the object store are."""

    def run(lines):
        env = dict(os.environ, GOMAXPROCS=cpus)
        child = subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        failed = []
        said = collections.deque(maxlen=20)

        def feed():
            try:
                for line in lines:
                    child.stdin.write(line + b"\n")
            except BrokenPipeError:
                pass  # its exit code says why
            except Exception as err:
                failed.append(err)
                child.kill()
            finally:
                try:
                    child.stdin.close()
                except BrokenPipeError:
                    pass

        threads = [threading.Thread(target=feed, daemon=True), threading.Thread(target=lambda: said.extend(child.stderr), daemon=True)]
        for thread in threads:
            thread.start()
        for line in child.stdout:
            yield line[:-1]

        code = child.wait()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]
        if code:
            raise RuntimeError("%s ended with %d: %s" % (command[1], code, b"".join(said).decode("utf-8", "replace")))

    return run


class Statuses(AccumulatorParam):
    """How tasks ended, by their name: one that ran twice counts once."""

    def zero(self, value):
        return {}

    def addInPlace(self, a, b):
        a.update(b)
        return a


def without_statuses(phase, statuses):
    def run(lines):
        for line in lines:
            if line.startswith(b"!"):
                status = json.loads(line[1:])
                statuses.add({(phase, status["task"]): status})
            else:
                yield line

    return run


PIECE = 1 << 20  # bytes that come back as one object
PIECES = 16  # objects that come back together


def in_pieces(lines):
    """Packs rows and cuts them into pieces: Spark brings back some 30 MB a second, and the
    rows of one key may be one line of any length, of which Java's heap holds several copies."""
    packer, packed = zlib.compressobj(1), bytearray()
    for line in lines:
        packed += packer.compress(line)
        packed += packer.compress(b"\n")
        cut = len(packed) - len(packed) % PIECE
        for at in range(0, cut, PIECE):
            yield bytes(packed[at : at + PIECE])
        del packed[:cut]
    packed += packer.flush()
    for at in range(0, len(packed), PIECE):
        yield bytes(packed[at : at + PIECE])


def by_shard(lines):
    """Puts lines of the same shard together, because what Spark does it does for each record.
    It has as many bytes in memory as come back together."""
    together, size = collections.defaultdict(list), 0
    for line in lines:
        together[int(line[1 : line.index(b"\t")])].append(line)
        size += len(line)
        if size >= PIECES * PIECE:
            yield from joined(together)
            together.clear()
            size = 0
    yield from joined(together)


def joined(together):
    for shard, lines in together.items():
        yield shard, b"\n".join(lines)


def watch(sc, statuses, done, cancelled, period=0.3):
    """Prints statuses as they come in, until done is set; then the rest. Cancels the job when
    the file of that name appears."""
    seen = set()
    last = False
    while True:
        for name, status in list(statuses.value.items()):
            if name not in seen:
                seen.add(name)
                say(event=name[0], status=status)
        if last:
            return
        last = done.wait(period)
        if os.path.exists(cancelled):
            sc.cancelAllJobs()


def partitions(tasks, cores):
    """Cuts the tasks, in order, into partitions of about the same size: some for each core,
    so that none waits long for the last."""
    total = sum(task["bytes"] for task in tasks)
    want = max(1, min(len(tasks), max(4 * cores, total // (256 << 20))))
    cut, size = [[]], 0
    for task in tasks:
        if cut[-1] and size * want >= total * len(cut):
            cut.append([])
        cut[-1].append(json.dumps(task).encode())
        size += task["bytes"]
    return cut


def run(sc, job):
    """Runs one job."""
    cores = max(1, sc.defaultParallelism)
    shards = job["shards"] or cores
    cpus = sc.getConf().get("spark.task.cpus", "1")

    # Archives are unpacked in the working folder of executors, and elsewhere in this process.
    sc.addArchive(job["archive"])
    folder = job["archive"].partition("#")[2]
    folder = os.path.join(SparkFiles.getRootDirectory() if sc.master.startswith("local") else ".", folder)
    map_command = ["/bin/sh", folder + "/map.sh", str(shards)]
    reduce_command = ["/bin/sh", folder + "/reduce.sh"]

    statuses = sc.accumulator({}, Statuses())
    done = threading.Event()
    watcher = threading.Thread(target=watch, args=(sc, statuses, done, job["cancel"]))
    watcher.start()
    try:
        cut = partitions(job["tasks"], cores)
        pairs = (
            sc.parallelize(cut, len(cut))
            .flatMap(lambda tasks: tasks)
            .mapPartitions(piped(map_command, cpus))
            .mapPartitions(without_statuses("map", statuses))
            .mapPartitions(by_shard)
            .partitionBy(shards, lambda shard: shard)
        )
        rows = (
            pairs.mapPartitionsWithIndex(lambda shard, pairs: itertools.chain([b"#%d" % shard], (lines for _, lines in pairs)))
            .mapPartitions(piped(reduce_command, cpus))
            .mapPartitions(without_statuses("reduce", statuses))
            .mapPartitions(in_pieces)
            .persist(StorageLevel.DISK_ONLY)
        )
        counts = rows.mapPartitions(lambda pieces: [sum(1 for _ in pieces)]).collect()
    finally:
        done.set()
        watcher.join()

    # Some pieces after the others, because this process has the memory of one machine only.
    for shard, count in enumerate(counts):
        unpacker = zlib.decompressobj()
        with open(os.path.join(job["rows"], "%d" % shard), "wb") as out:
            for at in range(0, count, PIECES):
                for piece in sc.runJob(rows, lambda pieces: itertools.islice(pieces, at, at + PIECES), [shard]):
                    out.write(unpacker.decompress(piece))
        if not unpacker.eof:
            raise RuntimeError("rows of shard %d are not complete" % shard)
    rows.unpersist()
    say(event="done", shards=shards)


def message(err):
    """The text of an error, Java's if it comes from there."""
    java = getattr(err, "java_exception", None)
    return java.getMessage() if java is not None else "%s: %s" % (type(err).__name__, err)


def alive(sc):
    """Says whether Spark's process is there and works."""
    try:
        return not sc._jsc.sc().isStopped()
    except Exception:
        return False


def main(folder):
    """Runs the jobs of the files 0.json, 1.json, …, as they appear, until there is a file
    "end" or the program that writes them is gone."""
    parent = os.getppid()
    sc = SparkContext()
    sc.setLogLevel("ERROR")
    say(event="started", cores=sc.defaultParallelism, application=sc.applicationId)

    number = 0
    while not os.path.exists(os.path.join(folder, "end")) and os.getppid() == parent:
        name = os.path.join(folder, "%d.json" % number)
        if not os.path.exists(name):
            time.sleep(0.05)
            continue
        number += 1
        with open(name) as text:
            job = json.load(text)
        try:
            run(sc, job)
        except Exception as err:
            # What ended Spark's process is in its output, and session.go sees that it is gone.
            if not alive(sc):
                sys.exit(1)
            traceback.print_exc()
            say(event="error", text=message(err))
    sc.stop()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception as err:
        traceback.print_exc()
        say(event="error", text=message(err))
        sys.exit(1)
