package layout

// Names of everything below a data folder, in one place. A name says the state:
// `ls` shows what is in flight, and recovery is a walk.
const (
	// RawDir holds the raw logs: telemetry.log.v4.<host>.<pid>.<unix ms>, one
	// writer each; the suffix ".finished" says that the raw log is complete.
	RawDir = "raw"
	// PublishedDir holds the partition tree:
	// <folder dimensions>/<file dimensions>.v2.log.<unique>.zst, see package schema.
	PublishedDir = "published"
	// QuarantineDir holds quarantined submissions, one folder per class of rejection.
	// Its name on disk is older than the word quarantine and public, as are the
	// command `tmserver invalid` and the filter key include_invalid: they stay.
	QuarantineDir = "invalid"
	// ForgottenDir holds the deletion requests: files of lines, see package forget.
	ForgottenDir = "forgotten"
	// DeletionFile adds kinds of deletion requests to the built-in ones when it exists in
	// the data folder.
	DeletionFile = "deletion.json"
	// StateDir holds what can be rebuilt: staging areas, locks, dedup index, job
	// history, cached map results.
	StateDir = "state"
	// MapResultsDir is tmrun's cache of the results of map tasks.
	MapResultsDir = StateDir + "/map_results"
	// JobsDir holds the jobs that a server runs, with their results.
	JobsDir = StateDir + "/jobs"
	// ACMEDir holds the certificates that a server got from an authority, with their keys.
	ACMEDir = StateDir + "/acme"
	// ReplacedDir holds segments that compaction replaced, for the jobs that still
	// read them: <unix seconds>-<hash of the path>.
	ReplacedDir = StateDir + "/replaced"
	// TrashDir holds what retention removed, until its grace period is over:
	// <unix seconds>/<path>. Each folder in it can be read as a data folder.
	TrashDir = StateDir + "/trash"
	// ClockFile has the time of the last upkeep whose clock was believed.
	ClockFile = StateDir + "/clock.json"
	// ForgetFile says whom the last upkeep looked for that had to forget somebody.
	ForgetFile = StateDir + "/forget.json"
	// IngestFilterFile exists once an ingest filter has decided what is published.
	IngestFilterFile = StateDir + "/ingest_filter"
	// CompactDir is the staging folder, and the lock, of compaction.
	CompactDir = StateDir + "/compact"
	// LockDir holds the lock of compaction in an object store: lock/<n>, each made
	// once, by a conditional write. The process that made the greatest n holds the lock.
	LockDir = StateDir + "/lock"
	// DamagedDir holds what `tmserver check --repair` moved aside, by its path.
	DamagedDir = StateDir + "/damaged"
	// AttemptsDir holds one file per raw log that is being converted, or whose conversion
	// ended the process, with what it had come to; see package worker.
	AttemptsDir = StateDir + "/attempts"
	// StagingDir holds one folder per raw log whose records are being published.
	StagingDir = StateDir + "/staging"
	// RepeatsFile is the index of received submissions, see package dedup; its name is
	// older than the word repeat, and stays.
	RepeatsFile = StateDir + "/dedup/seen.bolt"
	// LimitsFile is the index of partitions that were admitted, see package limit.
	LimitsFile = StateDir + "/limits/admitted.bolt"
	// RestoringFile says that a restore into the data folder has not ended.
	RestoringFile = StateDir + "/RESTORING"
	// RestoringSuffix ends the name of a file that is being restored.
	RestoringSuffix = ".restoring"
	// StatisticsDir holds the statistics of raw logs, see package ingest/statistics.
	StatisticsDir = StateDir + "/stats"
	// FinishedSuffix ends the name of a raw log that is complete, see package rawlog.
	FinishedSuffix = ".finished"
	// RevisionCacheDir holds <repo path>/<revision>/Histograms.json.
	RevisionCacheDir = "histogram_cache"
	// SchemaFile replaces the built-in dimension schema when it exists in the
	// data folder.
	SchemaFile = "telemetry_schema.json"
)

// StorageVersion is the version of the record format that a segment's file name
// carries: 1 is as submitted, 2 has converted histograms.
const StorageVersion = 2

// TailNumbers is how many numbers follow the bucket counts of a converted
// histogram: sum, log_sum, log_sum_squares, sum_squares_lo, sum_squares_hi.
// Data written before storage carried a version has three.
const TailNumbers = 5
