// Package tap shows submissions while they arrive, to developers who look at what their
// own client sends.
//
//	handler ─► Tap.Show ─► listener's queue ─► convert and decide ─► Server-Sent Event
//	           selects      bounded             as the worker will
//
// In come submissions that are durable, out go events to those who listen at the admin
// address: what came, and what becomes of it. In steps:
//
//  1. The handler shows each stored submission. Without a listener, that is one load of
//     an atomic number.
//  2. A listener selects by X-Debug-ID, X-Source-Tags, namespace, type and dimensions. What
//     it selects is copied to its queue; when that is full, the event is missed and counted.
//     Submissions never wait for a listener.
//  3. The listener's goroutine converts the copy and lets the filter decide, as the worker
//     does when the raw log is finished, and sends the outcome with its reason. Nothing is
//     stored or counted. Whether a submission is a repeat is not known before then.
package tap
