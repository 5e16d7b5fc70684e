// Package objects keeps whole objects, by name, in a store: an S3 bucket, a folder, or
// memory. It makes each request once; package backend repeats those that failed.
//
// In comes a URL, see Open, and then names and bytes; out come the bytes again, or an
// *Error.
//
//	backend.Blob ──► Store ◄─┬─ bucket   s3://    minio-go
//	                         ├─ folder   file://  for tests and trials
//	                         └─ memory   mem://   for tests
//
// # An upload to S3
//
//  1. The content is read once for its size, its MD5 and its SHA-256.
//  2. One PUT sends it, with those two sums in its headers; with trailing checksums,
//     which the URL may turn on, it sends a CRC32C after the content instead.
//  3. What the store answers is compared with what was sent (bucket.verify). An object
//     that differs is removed, and the upload is an error.
//
// # To add a kind of store
//
// Implement Store, and let Open make it for its scheme. Add its URL to TestStores,
// which fails for a Store that does not do what the interface says, and to
// TestObjectStores of package upkeep, the suite of a whole data folder.
package objects
