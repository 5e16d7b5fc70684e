// The benchmark's jobs in SQL, on the same segments: lines, or those in columns where the
// glob ends in .parquet.
// usage: NODE_PATH=… node duckdb.mjs JOB GLOB
import { createRequire } from "node:module"
const { DuckDBInstance } = createRequire(process.cwd() + "/")("@duckdb/node-api")

const [job, glob] = process.argv.slice(2)
const lines = `read_csv('${glob}', delim='\\t', quote='', escape='', header=false, auto_detect=false, compression='zstd',
  max_line_size=67108864, parallel=true, columns={'id': 'VARCHAR', 'j': 'VARCHAR'}, filename=true)`
const names = ["GC_MS", "CYCLE_COLLECTOR", "MEMORY_RESIDENT", "CACHE_HIT", "PAGE_LOAD_KIND"]
const ofColumns = {
  dims_only: `SELECT _reason, _appName, _appUpdateChannel, _appVersion, _appBuildID, _submission_date, count(*) FROM '${glob}' GROUP BY ALL ORDER BY ALL`,
  os_distribution: `SELECT "info.OS" os, count(*) FROM '${glob}' GROUP BY 1 ORDER BY 1`,
  count_keys: `SELECT count(COLUMNS('^histograms[.]')) FROM '${glob}'`,
  histogram_sum: sums(`SELECT _appUpdateChannel ch, _appVersion v, [${names.map((n) => `"histograms.${n}"`).join(", ")}] hs FROM '${glob}'`),
}
const histograms = `SELECT split_part(filename, '/', -3) ch, unnest(map_entries(json_transform(json_extract(j, '$.histograms'), '"MAP(VARCHAR, DOUBLE[])"'))) h FROM ${lines}`
const ofLines = {
  count_keys: `SELECT sum(len(json_keys(j, '$.histograms'))) FROM ${lines}`,
  mean_sums: `SELECT ch, h.key, count(*), avg(h.value[-5]) FROM (${histograms}) GROUP BY ALL ORDER BY ALL`,
  bucket_sums: `SELECT ch, sum(list_sum(h.value[:-6])) FROM (${histograms}) GROUP BY ALL ORDER BY ALL`,
  dims_only: `SELECT regexp_replace(filename, '[.]v2[.]log.*$', '') d, count(*) FROM ${lines} GROUP BY 1 ORDER BY 1`,
  os_distribution: `SELECT json_extract_string(j, '$.info.OS') os, count(*) FROM ${lines} GROUP BY 1 ORDER BY 1`,
  histogram_sum: sums(`SELECT split_part(filename, '/', -3) ch, split_part(filename, '/', -2) v,
      json_extract(j, [${names.map((n) => `'$.histograms.${n}'`).join(", ")}]) hs FROM ${lines}`),
}
function sums(histograms) {
  return `WITH t AS (${histograms}),
    u AS (SELECT ch, v, unnest([${names.map((n) => `'${n}'`).join(", ")}]) n, unnest(hs)::BIGINT[] a FROM t),
    e AS (SELECT ch, v, n, len(a) l, unnest(a) x, generate_subscripts(a, 1) i FROM u WHERE a IS NOT NULL),
    s AS (SELECT ch, v, n, l, i, coalesce(sum(x) FILTER (x >= 0), -1) x FROM e GROUP BY ALL)
    SELECT ch, v, n, l, list(x ORDER BY i) FROM s GROUP BY ALL ORDER BY ALL`
}
const sql = (glob.endsWith(".parquet") ? ofColumns : ofLines)[job]
const db = await (await DuckDBInstance.create(":memory:", { threads: "2" })).connect()
const rows = await (await db.runAndReadAll(sql)).getRowsJson()
console.log(rows.length, JSON.stringify(rows[0]).slice(0, 100))
