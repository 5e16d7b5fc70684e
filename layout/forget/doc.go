// Package forget knows whom the data folder forgets: the clients that sent a deletion
// request.
//
//	deletion request ─► Table ─► IDs and their reach ─► list file ─► Set
//	record, ping ─────► Clients ─► IDs ─► Set.Has: it is forgotten
//	records of a segment ─► Collector ─► Filter: is it worth reading?
//
// In come the texts of pings and records; out come the IDs of clients in them. Nothing
// here opens a file.
//
//  1. A Table says which submissions are deletion requests, where in them the IDs are, and
//     which namespaces they reach (table.go).
//  2. A list file has a line for each ID, with the time of the request and the reach
//     (list.go). All list files of a data folder together are a Set.
//  3. Clients finds the IDs that a ping or record has of its client (clients.go). They stand
//     at few places, and only those count: a deletion request can name anything, and must
//     not reach the records of others that mention it.
//  4. A Filter has a number for each ID of a segment, so that segments without a forgotten
//     client need not be read (filter.go).
//
// # To add a place where records have IDs
//
// A case of AppendMember, its row in TestClients, which compares the places with those of
// this file and of docs/clients.md; segments that are written before have a Filter without
// it, so Version of filter.go grows, and they are read.
package forget
