// Package script runs JavaScript jobs and filters in goja.
package script
