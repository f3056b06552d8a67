# Functions that merge series of patches. To be read with `.', after lib.sh.
#
# A "stack" is a directory with what a series makes of upstream's source:
#
#	names			the patches, in their order
#	pristine		link to upstream's source
#	headers/PATCH		what the patch says that it is for
#	levels/PATCH/FILE	each file that it changes, as it is then

# files_under - DIRECTORY: names of the files there, sorted

files_under() {
    [ ! -d "$1" ] || (cd "$1" && find . -type f | sed 's/^\.\///' | sort)
}

# copy_files - FROM TO: the files that standard input names, where they exist

copy_files() {
    (cd "$1" && while read -r file; do
	[ ! -f "$file" ] || printf '%s\0' "$file"
    done | xargs -0r cp -p --parents -t "$2") || die "cannot write in $2"
}

# replace_file - CONTENT FILE: its mode stays; a new one gets an ordinary one

replace_file() {
    [ -d "${2%/*}" ] || mkdir -p "${2%/*}" && cat "$1" >"$2" ||
	die "cannot write $2"
}

# make_stack - STACK UPSTREAM SERIES [tolerant]
#
# Stops where a patch does not apply; or else STACK/failed, which is there for
# each stack, names the files to which not all of the series applies.

make_stack() {
    mkdir -p "$1/now" "$1/headers" "$1/levels" && ln -s "$2" "$1/pristine" ||
	die "cannot write in $1"
    need_patches "$3"
    patches_in "$3" >"$1/names" && : >"$1/rejects" || exit 1
    while read -r name; do
	sed '/^--- /,$d' "$3/$name" >"$1/headers/$name"
	lsdiff --strip=1 "$3/$name" >"$1/changed"
	while read -r file; do
	    [ -f "$1/now/$file" ] || echo "$file"
	done <"$1/changed" | copy_files "$2" "$1/now" || exit 1
	patch -d "$1/now" -p1 --fuzz=0 ${4:+--force} --forward --batch -r - \
	    --no-backup-if-mismatch <"$3/$name" >"$1/log" 2>&1 ||
	    rejects_in "$1/log" >>"$1/rejects"
	[ ! -s "$1/rejects" ] || [ -n "${4-}" ] || {
	    sed 's/^/    /' "$1/log" >&2
	    die "$3/$name does not apply to Postfix ${2##*/postfix-}:" \
		$(in_a_row <"$1/rejects")
	}
	mkdir "$1/levels/$name" &&
	    copy_files "$1/now" "$1/levels/$name" <"$1/changed" || exit 1
    done <"$1/names"
    sed 's/ .*//' "$1/rejects" | sort -u >"$1/failed"
    rm -rf "$1/now" "$1/changed" "$1/log" "$1/rejects"
}

# write_series - STACK DIRECTORY: as patches in normal form; the list comes last

write_series() {
    mkdir "$1/before" || exit 1
    while read -r name; do
	{
	    cat "$1/headers/$name"
	    files_under "$1/levels/$name" | while read -r file; do
		before=$1/before/$file old=a/$file
		[ -f "$before" ] || before=$1/pristine/$file
		[ -f "$before" ] || before=/dev/null old=/dev/null
		diff -u --label "$old" --label "b/$file" "$before" \
		    "$1/levels/$name/$file"
	    done
	} >"$2/$name"
	cp -R "$1/levels/$name/." "$1/before/" || exit 1
    done <"$1/names"
    rm -rf "$1/before"
    cp "$1/names" "$2/series" || exit 1
}

# same_stack - A B: do two series come to the same, patch by patch?

same_stack() {
    cmp -s "$1/names" "$2/names" && diff -r "$1/levels" "$2/levels" >/dev/null &&
	diff -r "$1/headers" "$2/headers" >/dev/null
}

# merged_names - OLD NEW THEIRS: order of the patches, without those that NEW dropped
#
# With those that only NEW has; if nothing comes of them they are dropped later.

merged_names() {
    awk '
	FILENAME == ARGV[1] { old[$0] = 1; next }
	FILENAME == ARGV[2] {
	    after[$0] = previous; come[++n] = $0
	    new[$0] = 1; previous = $0; next
	}
	!($0 in old) || ($0 in new) { list[++m] = $0; have[$0] = 1 }
	END {
	    # What has come goes behind the patch that it follows in NEW.
	    for (i = 1; i <= n; i++) {
		if (come[i] in have)
		    continue
		for (at = m; at > 0 && list[at] != after[come[i]]; at--)
		    ;
		for (j = ++m; j > at + 1; j--)
		    list[j] = list[j - 1]
		list[at + 1] = come[i]; have[come[i]] = 1
	    }
	    for (i = 1; i <= m; i++)
		print list[i]
	}
    ' "$1/names" "$2/names" "$3/names"
}

# merge_file - OLD NEW THEIRS RESULT: fails if a person must decide
#
# A file that is not there counts as empty.

merge_file() {
    for side in "$1" "$2" "$3"; do
	[ -f "$side" ] || side=/dev/null
	set -- "$@" "$side"
    done
    shift 3
    if cmp -s "$2" "$3"; then
	cat "$4" >"$1.merged"
    elif cmp -s "$2" "$4"; then
	cat "$3" >"$1.merged"
    else
	git merge-file -p -L "$THEIR_NAME" -L "$OLD_NAME" -L "$NEW_NAME" \
	    --diff3 "$4" "$2" "$3" >"$1.merged" 2>"$1.errors"
	conflicts=$?
	[ $conflicts -le 127 ] || die "git merge-file: $(cat "$1.errors")"
	rm -f "$1.errors"
	mv "$1.merged" "$1"
	return $((conflicts != 0))
    fi
    mv "$1.merged" "$1"
}

# level_of - STACK NOW FILE: where the file's content at the present level is

level_of() {
    if [ -f "$2/$3" ]; then
	echo "$2/$3"
    else
	echo "$1/pristine/$3"
    fi
}

# differing - OLD NEW: files that are not the same in each level of two stacks

differing() {
    cat "$1/names" "$2/names" | sort -u | while read -r name; do
	for side in "$1/levels/$name" "$2/levels/$name"; do
	    files_under "$side"
	done | sort | uniq -u
	files_under "$1/levels/$name" | while read -r file; do
	    [ ! -f "$2/levels/$name/$file" ] ||
		cmp -s "$1/levels/$name/$file" "$2/levels/$name/$file" ||
		echo "$file"
	done
    done | sort -u
}

# copy_level - STACK PATCH DIRECTORY: what the patch leaves, if the stack has it

copy_level() {
    [ ! -d "$1/levels/$2" ] || cp -R "$1/levels/$2/." "$3/"
}

# merge_stacks - OLD NEW THEIRS RESULT: make in THEIRS the change from OLD to NEW
#
# RESULT becomes a stack. Each patch gets the change of the one of the same name.
# Where that would be a conflict in the middle of the series, the patch there is
# left as it is, and the last patch that has the file gets the change; at the
# end of the series the file has conflict markers, and is listed in
# RESULT/conflicts. OLD_NAME, NEW_NAME and THEIR_NAME are what the markers say.

merge_stacks() {
    mkdir -p "$4/headers" "$4/levels" "$4/old" "$4/new" "$4/their" "$4/top" ||
	die "cannot write in $4"
    ln -s "$(readlink "$3/pristine")" "$4/pristine"
    merged_names "$1" "$2" "$3" >"$4/names"
    differing "$1" "$2" >"$4/differing"
    : >"$4/conflicts" && : >"$4/all"
    while read -r name; do
	for side in "$1/levels/$name" "$2/levels/$name" "$3/levels/$name"; do
	    files_under "$side"
	done | sort -u >"$4/changed"
	copy_level "$1" "$name" "$4/old" && copy_level "$2" "$name" "$4/new" &&
	    copy_level "$3" "$name" "$4/their" &&
	    mkdir "$4/levels/$name" || die "cannot write in $4"
	[ ! -d "$3/levels/$name" ] || comm -23 "$4/changed" "$4/differing" |
	    copy_files "$3/levels/$name" "$4/levels/$name" || exit 1
	comm -12 "$4/changed" "$4/differing" >"$4/merge"
	while read -r file; do
	    old=$(level_of "$1" "$4/old" "$file")
	    new=$(level_of "$2" "$4/new" "$file")
	    their=$(level_of "$3" "$4/their" "$file")
	    if merge_file "$old" "$new" "$their" "$4/merged"; then
		echo "ok $name $file"
	    else
		mv "$4/merged" "$4/top.$(echo "$file" | tr / _)"
		echo "conflict $name $file"
		[ ! -f "$their" ] || cp "$their" "$4/merged"
	    fi >>"$4/all"
	    [ -f "$4/merged" ] || continue
	    before=$(level_of "$4" "$4/top" "$file")
	    cmp -s "$4/merged" "$before" || {
		replace_file "$4/merged" "$4/levels/$name/$file"
		replace_file "$4/merged" "$4/top/$file"
	    }
	    rm -f "$4/merged"
	done <"$4/merge"
	merge_file "$1/headers/$name" "$2/headers/$name" "$3/headers/$name" \
	    "$4/headers/$name" || {
	    say "note: what $name says that it is for is different in" \
		"$THEIR_NAME, and left as it is"
	    cp "$3/headers/$name" "$4/headers/$name"
	}
    done <"$4/names"
    awk '{ state[$3] = $1; last[$3] = $2 }
	END { for (file in state) if (state[file] == "conflict")
	    print last[file], file }' "$4/all" | sort >"$4/conflicts"
    while read -r name file; do
	replace_file "$4/top.$(echo "$file" | tr / _)" "$4/levels/$name/$file"
    done <"$4/conflicts"
    while read -r name; do
	if rmdir "$4/levels/$name" 2>/dev/null; then
	    rm "$4/headers/$name"
	else
	    echo "$name"
	fi
    done <"$4/names" >"$4/left" && mv "$4/left" "$4/names" || exit 1
    rm -rf "$4/old" "$4/new" "$4/their" "$4/top" "$4"/top.* "$4/all" "$4/changed" \
	"$4/differing" "$4/merge"
}

# conflict_places - DIRECTORY: FILE:LINE of each conflict marker in it, from the
# files that standard input names

conflict_places() {
    (cd "$1" && while read -r file; do
	grep -n '^<<<<<<< ' "$file" /dev/null
    done) | sed 's/^\([^:]*:[0-9]*\):.*/\1/'
}
