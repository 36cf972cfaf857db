#!/bin/sh
# Builds the program for a release, and prints what identifies the release. The same commit gives the same bytes on every machine that
# has the same version of Go.
#
#   build.sh binary GOOS GOARCH FILE   build the program
#   build.sh version                   print the version: of the tag vX.Y.Z at HEAD, else the one in the source
#   build.sh revision                  print the commit; nothing if this is not a git repository
#   build.sh date                      print the time of the commit, in seconds since 1970
#
# VERSION, REVISION and SOURCE_DATE_EPOCH in the environment replace the last three.
set -eu

cd "$(dirname "$0")/../.."

# git_here runs git in the repository of the source. It fails if the source is in no repository, or lies inside another one.
git_here() {
    [ -e .git ] && git "$@" 2>/dev/null
}

version() {
    version="${VERSION:-}"
    if [ -z "$version" ]; then
        tag="$(git_here describe --tags --exact-match --match 'v[0-9]*' HEAD || true)"
        version="${tag#v}"
    fi
    if [ -z "$version" ]; then
        version="$(sed -n 's/^var Version = "\(.*\)"$/\1/p' stats/build.go)"
    fi
    case "$version" in
    *[!0-9A-Za-z.+~-]* | [!0-9]* | "")
        echo "build.sh: $version is not a version such as 1.2.3 or 1.2.3-rc.1; set VERSION" >&2
        exit 1
        ;;
    *0.4*)
        echo "build.sh: the version $version contains 0.4: old clients that find this text believe that the server speaks the v1 API" >&2
        exit 1
        ;;
    esac
    echo "$version"
}

revision() {
    if [ -n "${REVISION+set}" ]; then
        echo "$REVISION"
    else
        git_here rev-parse HEAD || true
    fi
}

# date_of_source falls back to 1980-01-01, the first time that every archive format can hold.
date_of_source() {
    if [ -n "${SOURCE_DATE_EPOCH:-}" ]; then
        echo "$SOURCE_DATE_EPOCH"
    else
        git_here log -1 --format=%ct || echo 315532800
    fi
}

# binary takes nothing from the machine: no C compiler, no paths, no settings of Go.
binary() {
    file="$(realpath -m "$3")"
    version="$(version)"
    revision="$(revision)"
    mkdir -p "$(dirname "$file")"
    env CGO_ENABLED=0 GOOS="$1" GOARCH="$2" GOAMD64=v1 GOARM64=v8.0 GOFLAGS= GOEXPERIMENT= GOWORK=off \
        "${GO:-go}" build -trimpath -buildvcs=false \
        -ldflags "-s -w -X pando/stats.Version=$version -X pando/stats.Revision=$revision" -o "$file" .
}

case "${1:-}" in
binary)
    if [ $# -ne 4 ]; then
        echo "usage: build.sh binary GOOS GOARCH FILE" >&2
        exit 2
    fi
    binary "$2" "$3" "$4"
    ;;
version) version ;;
revision) revision ;;
date) date_of_source ;;
*)
    echo "usage: build.sh binary GOOS GOARCH FILE | version | revision | date" >&2
    exit 2
    ;;
esac
