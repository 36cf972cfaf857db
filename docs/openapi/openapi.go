// Package openapi has the description of the HTTP API in the format of OpenAPI 3.1. A member serves it at /openapi.json.
//
// The description is written by hand in the YAML files of the folder source, one file for each subject. openapi.json is made from them by
// `go test ./docs/openapi -update`, and a test fails while it is out of date. Other tests compare the description with the routes and the
// parameters of the program, and with the responses to the requests of the conformance suites: see package check.
//
// To describe something new, change the files in source and run the command above. Beside OpenAPI the description has these extensions:
//
//   - x-pando-any-request: the responses and headers that any request may get
//   - x-pando-any-method: methods that are not described may have the same responses as GET
//   - x-pando-proxy: the path is served by proxies alone
//   - x-pando-lines: the schema of each line of the response to a watch, or of the data of server-sent events
//   - x-pando-may-be-empty: a body that the schema does not allow may be empty
package openapi

import _ "embed" // for JSON

// JSON is the description. It must not be modified.
//
//go:embed openapi.json
var JSON []byte
