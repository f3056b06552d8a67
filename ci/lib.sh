# Common functions of the programs in ci/. To be read with `.'; sets TOP.

LC_ALL=C
export LC_ALL
umask 022

TOP=$(cd "$(dirname "$0")/.." && pwd) || exit 1
BUILD=$TOP/build
STATE=$BUILD/.state
PROG=${0##*/}

# say - progress and remarks, apart from any result on standard output

say() {
    echo "$PROG: $*" >&2
}

# die - one clear message, and out

die() {
    say "error: $*"
    exit 1
}

# usage - the comment block at the top of a program is its manual

usage() {
    sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# make, and mount's options, give some characters a meaning of their own

case $TOP in
*[!A-Za-z0-9_./+@%~\ -]*)
    die "the name of this directory has characters that make(1) or mount(8)" \
	"cannot handle: $TOP";;
esac

# need_state - make the directory for what the programs remember, and for work

need_state() {
    mkdir -p "$STATE" 2>/dev/null && [ -w "$STATE" ] && [ -w "$BUILD" ] ||
	die "cannot write in $BUILD: it is read-only, or somebody else's"
}

# lock - NUMBER FILE: wait until nobody else has the file locked, and lock it
#
# As file descriptor NUMBER, until the program ends.

lock() {
    if [ -e "$2" ]; then
	[ -w "$2" ]
    else
	[ -w "${2%/*}" ]
    fi || die "cannot write $2: it is read-only, or somebody else's"
    eval "exec $1>\"\$2\"" && flock "$1"
}

# work_directory - NAME: a new directory in $STATE, as TMP; goes away at the end

work_directory() {
    TMP=$(mktemp -d "$STATE/$1.XXXXXX" 2>/dev/null) ||
	die "cannot write in $STATE: it is full, read-only, or somebody else's"
    cleanup_on_exit "$TMP"
}

# cleanup_on_exit - remove a temporary file or tree however the program ends
#
# A signal must end in `exit', or the EXIT trap is not run.

cleanup_on_exit() {
    TEMPORARY=$1
    trap 'rm -rf "$TEMPORARY"' EXIT
    trap 'exit 129' HUP
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# cache_dir - where upstream's source is kept; outlives `make clean'

cache_dir() {
    echo "${POSTFIX_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/postfix-tls-fallback}"
}

# upstream_field - RELEASE N: a column of the table, nothing if not listed

upstream_field() {
    awk -v line="$1" -v n="$2" '$1 == line { print $n }' "$TOP/ci/upstream.table"
}

# hash_of - SHA-256 of a file, or of standard input

hash_of() {
    sha256sum "$@" | cut -d' ' -f1
}

# release_of - 3.10.13 -> 3.10

release_of() {
    echo "$1" | sed -n 's/^\([0-9]*\.[0-9]*\)\..*/\1/p'
}

# is_older - A B: release A comes before release B

is_older() {
    [ "$1" != "$2" ] &&
	[ "$(printf '%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# version_in - the version that mail_version.h (standard input) gives

version_in() {
    sed -n 's/^#define[	 ]*MAIL_VERSION_NUMBER[	 ]*"\([0-9.]*\)".*/\1/p'
}

# git_here - ARGUMENT...: git, in this repository, whoever owns it

git_here() {
    git -C "$TOP" -c "safe.directory=$TOP" "$@"
}

# supported_releases - the release lines that have a patch series

supported_releases() {
    for dir in "$TOP"/patches/*/series; do
	[ -f "$dir" ] && basename "$(dirname "$dir")"
    done | sort -V | tr '\n' ' ' | sed 's/ $//'
}

# nearest_series - RELEASE: the one to start from

nearest_series() {
    below= above=
    for line in $(supported_releases); do
	if is_older "$1" "$line"; then
	    above=${above:-$line}
	else
	    below=$line
	fi
    done
    echo "${below:-$above}"
}

# is_near - RELEASE: may a series be carried over to it?

is_near() {
    for line in $(supported_releases); do
	[ "${line%%.*}" != "${1%%.*}" ] || return 0
    done
    return 1
}

# require_supported - RELEASE: stop unless there is a series for it

require_supported() {
    [ -f "$TOP/patches/$1/series" ] ||
	die "Postfix $1 is not supported: there is no patches/$1/series" \
	    "(supported: $(supported_releases))"
}

# default_release - what the latest `makefiles' chose, else the first supported

default_release() {
    if [ -s "$STATE/release" ]; then
	cat "$STATE/release"
    else
	awk '!/^#/ { print $1 }' "$TOP/ci/upstream.table" | while read -r line; do
	    [ ! -f "$TOP/patches/$line/series" ] || { echo "$line"; break; }
	done
    fi
}

# release_wanted - the release line to work on; $RELEASE wins

release_wanted() {
    if [ -n "$RELEASE" ]; then
	echo "$RELEASE"
    else
	default_release
    fi
}

# unpack_source - SOURCE DIRECTORY: a tarball or directory; prints where it is

unpack_source() {
    mkdir "$2" || exit 1
    if [ -d "$1" ]; then
	cp -R -p "$1/." "$2/" || die "$1: cannot copy"
	echo "$2"
    else
	tar -xf "$1" -C "$2" --no-same-owner || die "$1: cannot unpack"
	dirname "$(ls -d "$2"/*/makedefs 2>/dev/null)"
    fi
}

# upstream_dir - RELEASE: the pristine source, as ci/prepare unpacked it

upstream_dir() {
    readlink -f "$BUILD/upstream/$1"
}

# patches_in - DIRECTORY: names of the patches of a series, in order

patches_in() {
    sed -e 's/[	 ]*#.*//' -e '/^[	 ]*$/d' "$1/series" | awk '{ print $1 }'
}

# need_patches - DIRECTORY: stop where its series names a patch that is not there

need_patches() {
    for name in $(patches_in "$1"); do
	[ -f "$1/$name" ] ||
	    die "${1#"$TOP"/}/series names $name, which does not exist"
    done
}

# series_of - RELEASE: names of the patches, in order

series_of() {
    patches_in "$TOP/patches/$1"
}

# rejects_in - LOG of patch(1): FILE hunk #N, or FILE (no such file)

rejects_in() {
    awk '
	/^[Pp]atching file / || /^checking file / {
	    file = $3; gsub(/\047/, "", file)
	}
	/FAILED at/ { print file " hunk " $2 }
	/^can.t find file to patch/ { missing = 1 }
	missing && /^\|\+\+\+ / {
	    sub(/^[ab]\//, "", $2)
	    print $2 " (no such file)"
	    missing = 0
	}
    ' "$1"
}

# in_a_row - lines, as words of a sentence

in_a_row() {
    awk '{ printf "%s%s", sep, $0; sep = ", " }'
}

# apply_series - SERIES TREE VERSION: stops with file, hunk and version
#
# SERIES is a directory. No fuzz: a hunk that no longer fits exactly is for a
# person to look at.

apply_series() {
    need_patches "$1"
    for name in $(patches_in "$1"); do
	patch -d "$2" -p1 --fuzz=0 --forward --batch --no-backup-if-mismatch \
	    <"$1/$name" >"$2.patch.log" 2>&1 || {
	    sed 's/^/    /' "$2.patch.log" >&2
	    rejects=$(rejects_in "$2.patch.log" | in_a_row)
	    rm -f "$2.patch.log"
	    die "${1#"$TOP"/}/$name does not apply to Postfix $3:" \
		"${rejects:-see above}"
	}
    done
    rm -f "$2.patch.log"
}

# html2text_has_styles - version 1, as upstream uses it; version 2 has none

html2text_has_styles() {
    html2text -style pretty </dev/null >/dev/null 2>&1
}

# added_files - what postfix/ has, as paths in the tree

added_files() {
    (cd "$TOP/postfix" && find . -type f ! -name '*~' ! -name '.*') |
	sed 's/^\.\///' | sort
}

# overlay_added - TREE: put the files of postfix/ in their place

overlay_added() {
    added_files | while read -r file; do
	[ ! -e "$1/$file" ] || {
	    say "error: postfix/$file shadows a file of upstream's"
	    exit 1
	}
	mkdir -p "$1/$(dirname "$file")" &&
	    cp -p "$TOP/postfix/$file" "$1/$file" || exit 1
    done || exit 1

    # Upstream's installer takes what is not HTML from README_FILES, and makes no
    # directories there.
    for file in "$1"/auxiliary/tls-audit/*; do
	[ ! -f "$file" ] ||
	    cp -p "$file" "$1/README_FILES/tls-audit.${file##*/}" || exit 1
    done
}

# overlay_documentation - TREE: add what proto/ has to the documentation sources
#
# Where upstream has a file of that name, ours is added to its end: postconf(5)
# is sorted when it is rendered, and stop lists need no order. What belongs into
# the middle is added by the rules in proto/insertions. A place that is not
# there is no error: a document that lacks a sentence is better than no Postfix.
# To be called after the patches, which may touch those files too.

overlay_documentation() {
    for file in "$TOP"/proto/*; do
	[ -f "$file" ] || continue
	case $file in
	*~|*/insertions) continue;;
	*.html) [ ! -e "$1/proto/${file##*/}" ] ||
		    die "proto/${file##*/} shadows a file of upstream's";;
	esac
	cat "$file" >>"$1/proto/${file##*/}" || exit 1
    done
    [ -f "$TOP/proto/insertions" ] || return 0
    awk -f "$TOP/ci/insert.awk" TREE="$1" PROTO="$TOP/proto/postconf.proto" \
	"$TOP/proto/postconf.proto" "$TOP/proto/insertions" |
	sed "s/^/$PROG: warning: proto\/insertions: /" >&2
}

# overlay_typedefs - TREE: indent(1) knows the names of our types, as of upstream's

overlay_typedefs() {
    (
	cd "$TOP/postfix/src" && LC_ALL=C && export LC_ALL &&
	    sed -n -e 's/^} \([A-Z][A-Z0-9_]*\);$/-T\1/p' \
		-e 's/^typedef .* \([A-Z][A-Z0-9_]*\);$/-T\1/p' \
		-e 's/^typedef .*(\*\([A-Z][A-Z0-9_]*\)) *(.*;$/-T\1/p' */*.[ch] |
	    sort -u - "$1/.indent.pro" >"$1/.indent.pro.new" &&
	    mv "$1/.indent.pro.new" "$1/.indent.pro"
    ) || exit 1
}

# inserted_files - TREE: files of it that the rules change

inserted_files() {
    sed -n 's/^in //p' "$TOP/proto/insertions" 2>/dev/null | while read -r files; do
	for file in $files; do
	    [ ! -f "$1/$file" ] || { echo "$file"; break; }
	done
    done
}

# patched_tree - NEW SERIES VERSION: upstream's files in NEW become ours

patched_tree() {
    overlay_added "$1" || exit 1
    apply_series "$2" "$1" "$3"
    overlay_documentation "$1"
    overlay_typedefs "$1"
    sh "$TOP/ci/render" "$1" || exit 1
}

# quilt_in - TREE COMMAND...: quilt, whatever the user's own settings

quilt_in() {
    (
	cd "$1" && shift && QUILT_PATCHES=patches QUILT_SERIES=series \
	    QUILT_PC=.pc quilt --quiltrc - "$@"
    )
}

# quilt_refresh - TREE PATCH: bring an applied patch into normal form

quilt_refresh() {
    quilt_in "$1" refresh -f -p ab -U 3 --no-timestamps --no-index --sort \
	"$2" >"$1.quilt.log" 2>&1 || {
	sed 's/^/    /' "$1.quilt.log" >&2
	die "quilt could not refresh $2"
    }
    rm -f "$1.quilt.log"
}
