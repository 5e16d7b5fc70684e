// Package schemas checks pings against JSON Schemas, in the layout of
// mozilla-pipeline-schemas: namespace/type/type.version.schema.json.
//
//  1. Load compiles all schemas of a folder. One that does not compile is an error, which
//     names its file.
//  2. Checker.Check finds the schema of a ping by namespace, type and version. A ping of
//     another namespace that has none of its own is checked as Glean's, if its form is that.
//  3. It decodes the ping, validates it, and returns the Places that fail, sorted, as JSON
//     pointers with the keyword of the schema.
//
// Schemas are the operator's, and pings are strangers': the check of a ping has a budget of
// elements, steps, depth and time in regular expressions, beyond which it fails as "limit".
// A number that is too long to be computed with fails by itself.
// A schema refers to others of the folder only; nothing is fetched.
package schemas
