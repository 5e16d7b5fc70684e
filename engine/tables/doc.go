// Package tables is the aggregations that scripts declare (count, sum, mean, min, max,
// quantiles, distinct, top, sample, histograms, rows), over bytes. It knows neither
// JavaScript nor segments: values come in as data and numbers, rows go out as data.
//
//		Task.Add ─► Commit ─► emit ─► shuffle ─► Set.Combine ─► Reducer ─► rows
//
//	 1. A map task has a Task. Each value that a record adds becomes the partial result of
//	    that one value and waits until the record has been mapped.
//	    Histograms that are text skip both: their numbers are added to the result of their
//	    key, and subtracted if the record is rejected.
//	 2. Commit merges it into the result of its key. When the results take taskBytes, and at
//	    the end of the task, each becomes a pair for the shuffle: the key with the number of
//	    its table in front, and the partial result.
//	 3. The shuffle spills, sorts and merges as for any job. Set.Combine merges the partial
//	    results of one key.
//	 4. A Reducer merges the last of them and writes rows, in the order of the keys. A script
//	    may write them instead, with those of a group of keys together.
//
// The laws, which laws_test.go tests with random values in random splits and orders:
//
//	Merging is associative and commutative, and a partial result of the same values has
//	the same bytes for any split. Hence a table is the same bytes for any number of workers,
//	in processes of their own, and from the cache.
//	count, sum, mean, min, max    exact: sums are exact integers, rounded once at the end
//	quantiles     exact up to ExactValues values of a key, linear between neighbours;
//	              beyond that the relative error is at most 1/256
//	distinct      exact up to ExactDistinct values of a key; beyond that a HyperLogLog with
//	              a standard error of 0.8 %
//	top           exact; equal counts come in the order of the values
//	sample        the values of the documents with the smallest hashes (XXH64) of their IDs
//	histograms    counts exact, sums exact; a row for each bucketing
//	rows          not merged: they keep the order of the input
//
// To add a kind of table:
//
//  1. Write an aggregate in a file of its own, with a function that appends the partial
//     result of one value.
//  2. Add its entry to kinds, with the name of its cells. TestLaws fails until it knows the
//     kind, and then tests the laws.
//  3. Declare its function in package declare, in the module tables, and export it in
//     bundle/lib/tables.js; script.TestModulesAreDeclared fails if one of them is missing.
//     What its add takes from a script is one of the Values.
package tables
