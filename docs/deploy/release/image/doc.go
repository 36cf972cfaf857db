// Command image packs built programs into a container image for several architectures, and writes it as one tar file in the
// OCI image layout. It needs no daemon, no registry and no root rights. The same arguments and files give the same bytes.
//
//	image -version 1.2.3 -date 1764495000 -license LICENSE -o FILE.tar linux/amd64=PROGRAM linux/arm64=PROGRAM
//
// The image is as small as a static program allows: it has no shell and no other program. Its user is not root.
//
//	main.go    the command line
//	binary.go  checks that a program runs alone, on its architecture
//	files.go   the layers: users, CA certificates, directories, the program and its links
//	index.go   the configuration of the image, its labels, the index of the architectures
//	layout.go  the tar file
package main
