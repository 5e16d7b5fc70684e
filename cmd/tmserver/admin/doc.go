// Package admin is the door of the admin address: who may do what there. In come requests of people's browsers and of programs;
// out go the answers of the handlers behind it.
//
// A request passes, in this order:
//
//  1. Headers (headers.go): what a browser may do with the answer.
//  2. The host (host.go): a web page must not reach a loopback address under a name of its
//     own (DNS rebinding).
//  3. The origin (guard.go): a form or a script of another site must not act (CSRF).
//  4. The role (guard.go, session.go): the bearer token, or the cookie that signing in sets.
//     A viewer reads; an operator does everything.
//  5. The handler: the API of jobs (api.go), sign-in (signin.go), or what the server has
//     added.
//
// openapi.json describes the API, and is served.
//
// To add an endpoint of the API: a row of routes in api.go, and its path in openapi.json;
// TestOpenAPI fails if either is missing.
package admin
