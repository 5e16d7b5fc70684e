// Command tmserver is the operator's command: it receives submissions, converts raw
// logs and looks after a data folder. Each subcommand has a file cmd_<name>.go; what
// several of them use is beside: data_folder.go opens the data folder with its
// definitions and filters, filters.go the operator's filters, flags.go the definitions.
//
// serve is an ordered list of parts, serveParts: they are built and started in order,
// and stopped in reverse, which is the direction in which submissions flow.
//
// # To add a part of serve
//
//  1. A file with its flags, embedded in serveCmd, and a build function. Each flag has an
//     environment variable, and is a key of the configuration file by itself.
//  2. A row of serveParts, after the parts that it needs.
//
// TestEveryKeyIsFlagAndVariable fails for a flag without its variable, TestServeParts for
// a build function without its row.
//
// # To add an endpoint of the admin address
//
//  1. A row of adminEndpoints in admin.go, with its handler.
//  2. A row of the table in docs/operating.md, "What is public".
//
// TestAdminEndpoints fails for an endpoint that the table does not have, or that answers
// without the token. Endpoints of the public address are described in package ingest,
// places where raw logs come from in package ingest/intake.
package main
