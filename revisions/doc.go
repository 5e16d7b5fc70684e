// Package revisions knows histogram definitions: it finds the Histograms.json of
// a source revision (memory, then disk, then a Mercurial server), parses it, and
// computes bucket bounds.
package revisions
