// Command sbom writes the bill of materials of a release: which modules, in which versions, are in the built programs. It is JSON in
// the format CycloneDX 1.6. The same arguments and programs give the same bytes.
//
//	sbom -version 1.2.3 -date 1764495000 -o FILE linux/amd64=PROGRAM darwin/arm64=PROGRAM
//
// The modules are those that the linker recorded in the programs. Each comes with the text of its license, as it lies in the module
// cache: most licenses require that a program is distributed together with this text.
//
//	main.go     the command line
//	bom.go      the document
//	modules.go  the modules of the programs, and their licenses
package main
