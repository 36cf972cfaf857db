#!/bin/sh
# Makes the files of a release, below the directory in $DIST (default: dist). `make release` calls it, on Linux.
#
#   release.sh binaries    build/GOOS-GOARCH/pando: the program for each platform
#   release.sh archives    pando-VERSION-GOOS-GOARCH.tar.gz: program, man pages, completions and these pages, for each platform
#   release.sh image       pando-VERSION-image.tar: the container image for the platforms with Linux, as an OCI layout
#   release.sh sbom        pando-VERSION.cdx.json: the modules in the programs, in the format CycloneDX
#   release.sh checksums   SHA256SUMS of all files that are in $DIST by then
#
# The first has to run before the others. PLATFORMS lists other platforms than those of a release. The same commit, with the same version of Go, gives the same bytes.
set -eu

dist="$(realpath -m "${DIST:-dist}")"
here="$(realpath "$(dirname "$0")")"
top="$here/../../.."
build="$here/../build.sh"
go="${GO:-go}"

platforms="${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64}"
version="$("$build" version)"
date="$("$build" date)"

# program GOOS/GOARCH: where the program of a platform is
program() {
    echo "$dist/build/$(echo "$1" | tr / -)/pando"
}

# programs GOOS/GOARCH...: the arguments for Go programs that read several programs
programs() {
    for platform; do
        echo "$platform=$(program "$platform")"
    done
}

binaries() {
    for platform in $platforms; do
        "$build" binary "${platform%/*}" "${platform#*/}" "$(program "$platform")"
    done
}

# stage DIR: put what is beside the program into a directory
stage() (
    cd "$top"
    cp LICENSE README.md CHANGELOG.md SECURITY.md "$1"
    mkdir -p "$1/docs/deploy" "$1/docs/monitoring"
    cp docs/*.md "$1/docs"
    cp docs/deploy/*.service docs/deploy/*.conf docs/deploy/*.yml "$1/docs/deploy"
    cp -r docs/deploy/kubernetes "$1/docs/deploy"
    cp docs/monitoring/* "$1/docs/monitoring"
    "$go" run ./docs/deploy/package files "$1"
)

archives() {
    for platform in $platforms; do
        name="pando-$version-$(echo "$platform" | tr / -)"
        stage="$(mktemp -d)"
        mkdir "$stage/$name"
        stage "$stage/$name"
        cp "$(program "$platform")" "$stage/$name/pando"
        chmod -R u=rwX,go=rX "$stage/$name"
        tar -C "$stage" --sort=name --format=ustar --owner=0 --group=0 --numeric-owner --mtime="@$date" -cf "$stage/archive.tar" "$name"
        gzip -n "$stage/archive.tar"
        mv "$stage/archive.tar.gz" "$dist/$name.tar.gz"
        rm -r "$stage"
    done
}

image() (
    cd "$here"
    linux="$(echo "$platforms" | tr ' ' '\n' | grep '^linux/')"
    # shellcheck disable=SC2046 # one word for each program
    "$go" run ./image -version "$version" -revision "$("$build" revision)" -date "$date" -license "$top/LICENSE" \
        -o "$dist/pando-$version-image.tar" $(programs $linux)
)

sbom() (
    cd "$here"
    # shellcheck disable=SC2046 # one word for each program
    "$go" run ./sbom -version "$version" -date "$date" -o "$dist/pando-$version.cdx.json" $(programs $platforms)
)

checksums() (
    cd "$dist"
    rm -f SHA256SUMS
    sums="$(find . -maxdepth 1 -type f -printf '%P\n' | LC_ALL=C sort | xargs -d '\n' sha256sum)"
    echo "$sums" >SHA256SUMS
)

mkdir -p "$dist"
for step; do
    case "$step" in
    binaries | archives | image | sbom | checksums) "$step" ;;
    *)
        echo "release.sh: there is no step $step; the steps are binaries, archives, image, sbom and checksums" >&2
        exit 2
        ;;
    esac
done
