// Package check compares requests and responses with the description of the API (package openapi). Tests use it: what a server does and the
// description does not allow is an error. The program itself does not import this package.
//
// A response must have a status, headers and a body that the description allows for its path and method. If it is a success, the described
// parameters and the body of the request must be allowed, too; the server ignores other parameters.
//
// All functions may be called from any goroutine.
//
//   - description.go: Description, its references and its schemas
//   - operation.go: the operation of a request, and the responses that it may get
//   - response.go: headers and bodies of responses
//   - request.go: parameters and bodies of requests
//   - lines.go: the responses to watches
//   - conn.go: checking all exchanges of a connection
//   - relay.go: checking the exchanges of other programs
package check
