// Package helperfile opens bbolt databases that help but are not data: what is in them
// can be missing, so that no damage to one ends the program or stops a conversion.
//
//	View, Update ─► guard ─► bbolt
//	                  │
//	                  └─► damage: set aside as <name>.damaged-<time>, made anew, used again
//
// In comes a function that uses a transaction, out goes its error. One use, in steps:
//
//  1. Open the file and lock it. While another process has it, wait a stated time; the
//     error then names that process. The lock ends with the process that holds it.
//  2. Check what bbolt does not: a file that is shorter than its pages is damaged.
//  3. Use it. A panic of bbolt, and a memory fault of its mapped pages, become an error
//     that wraps ErrDamaged.
//  4. After damage, also a format of another version: rename the file, say so once in the
//     log, and repeat the use with a new, empty one.
//
// # To add a helper file
//
// Options with its name, and with what is lost when it is set aside, as a person reads
// it in the log; a test that damages it as TestDamage of this package does, and that
// sees what the program does then.
package helperfile
