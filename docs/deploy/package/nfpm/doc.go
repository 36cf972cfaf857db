// Package nfpm pins the version of nfpm, the program that writes .deb and .rpm packages. It holds no code. It is a module of its own,
// because nfpm requires a hundred modules, among them the Git library that reads changelogs, and the program needs none of them: in
// go.mod of Pando they would be downloaded, checked and updated with every build. docs/deploy/package runs nfpm by `go tool`.
package nfpm
