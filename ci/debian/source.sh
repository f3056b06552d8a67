# Functions that make Debian's source package of Postfix ours. To be read with
# `.', after lib.sh. They use what ci/deb has settled: DEBIAN, VERSION, EPOCH,
# RELEASE, BASE, KEPT, TMP, DEBFULLNAME, DEBEMAIL.

SUBDIR=tls-fallback
OUR_PART=$TOP/ci/debian

# with_dep3_header - our header as Debian wants it (DEP-3)
#
# The first line is the summary; paragraphs are separated by a dot.

with_dep3_header() {
    awk -v updated="$(date -u -d "@$EPOCH" +%Y-%m-%d)" '
	body { print; next }
	/^--- / {
	    print "Author: The postfix-tls-fallback project"
	    print "Forwarded: no"
	    print "Last-Update: " updated
	    print "---"
	    body = 1; print; next
	}
	NR == 1 { print "Description: " $0; next }
	NR == 2 && $0 == "" { next }
	$0 == "" { blank = 1; next }
	{ if (blank && NR > 3) print " ."; blank = 0; print " " $0 }
    '
}

# add_patch - TREE NAME: standard input, with our header, behind what there is
#
# One that changes nothing is left out. What Debian's own tools would refuse is
# refused here.

add_patch() {
    patch=$1/debian/patches/$SUBDIR/$2
    with_dep3_header >"$patch"
    if [ -z "$(lsdiff "$patch")" ]; then
	rm "$patch"
	return
    fi
    patch -d "$1" -p1 --fuzz=0 --forward --batch --no-backup-if-mismatch \
	<"$patch" >"$TMP/patch.log" 2>&1 || {
	sed 's/^/    /' "$TMP/patch.log" >&2
	die "$2 does not apply behind the patches of Debian's Postfix $DEBIAN." \
	    "What conflicts with Debian's own patches belongs into" \
	    "patches/debian/$RELEASE/debian.patch"
    }
    echo "$SUBDIR/$2" >>"$TMP/series"
}

# diff_files - TREE HEADER: from the files in $TMP/before to those of TREE

diff_files() {
    printf '%s\n\n' "$2"
    while read -r file; do
	old=a/$file
	[ -f "$TMP/before/$file" ] || old=/dev/null
	diff -u -N --label "$old" --label "b/$file" \
	    "$TMP/before/$file" "$1/$file"
    done
}

# add_new_patch - TREE NAME: one whose changes are in the tree already

add_new_patch() {
    with_dep3_header >"$1/debian/patches/$SUBDIR/$2"
    echo "$SUBDIR/$2" >>"$TMP/series"
}

# add_series - TREE: what changes Postfix's own files
#
# What patches/debian/RELEASE/debian.patch changes, the other patches leave to it.
# For a line without a series the nearest one is carried over to Debian's tree.

add_series() {
    series=$TOP/patches/$RELEASE
    [ -f "$series/series" ] ||
	series=$(sh "$TOP/ci/carry" --tree "$BUILD/merge-debian-$DEBIAN" "$1") || exit 1
    variant=$TOP/patches/debian/$RELEASE/debian.patch
    [ -f "$variant" ] || variant=/dev/null
    lsdiff --strip=1 "$variant" >"$TMP/in-variant"
    for name in $(patches_in "$series"); do
	filterdiff --strip-match=1 --exclude-from-file="$TMP/in-variant" \
	    "$series/$name" | add_patch "$1" "$name" || exit 1
    done
    add_patch "$1" debian.patch <"$variant" || exit 1
}

# add_files - TREE: the files of postfix/ and proto/
#
# auxiliary/tls-audit is installed as a directory, see make_source().

add_files() {
    {
	inserted_files "$1"
	(cd "$TOP" && find proto -type f ! -name '*~' ! -name '.*' ! -name insertions)
    } | sort -u >"$TMP/documents"
    while read -r file; do
	mkdir -p "$TMP/before/${file%/*}"
	[ ! -f "$1/$file" ] || cp "$1/$file" "$TMP/before/$file" || exit 1
    done <"$TMP/documents"
    overlay_added "$1" || exit 1
    overlay_documentation "$1"
    rm -f "$1"/README_FILES/tls-audit.*
    sed -i '/readme_directory\/tls-audit\./d' "$1/conf/postfix-files" || exit 1
    {
	added_files
	cat "$TMP/documents"
    } | sort | diff_files "$1" "The files that the patch set adds

With the entries for postconf(5) and for the checks of the documentation,
which go to the end of existing files." | add_new_patch "$1" added-files.patch
}

# add_readmes - TREE: as text, which the build would leave empty
#
# Upstream's rules use options that html2text 2 does not have. As all files that
# are patched get the same time, these count as up to date.

add_readmes() {
    cp -R "$1/README_FILES" "$TMP/before/" && sh "$TOP/ci/render" "$1" || exit 1
    (cd "$1" && ls README_FILES/*_README) | while read -r file; do
	cmp -s "$TMP/before/$file" "$1/$file" || echo "$file"
    done | diff_files "$1" "Rendered README files

Debian 13 and later have an html2text that cannot render them with upstream's
rules." | add_new_patch "$1" readme-files.patch
}

# make_patches - TREE: write its debian/patches/$SUBDIR, and $TMP/series

make_patches() {
    mkdir "$1/debian/patches/$SUBDIR" && : >"$TMP/series" || exit 1
    add_series "$1"
    add_files "$1"
    html2text_has_styles || add_readmes "$1"
}

# unpack - DIRECTORY [OPTION]: Debian's source package

unpack() {
    dsc=$(ls "$KEPT"/source/*.dsc)
    dpkg-source --no-check ${2:+"$2"} -x "$dsc" "$1" >"$TMP/log" 2>&1 || {
	sed 's/^/    /' "$TMP/log" >&2
	die "dpkg-source cannot unpack $dsc"
    }
}

# replace - FILE: standard input takes its place

replace() {
    cat >"$TMP/replace" && cp "$TMP/replace" "$1" || die "cannot write $1"
}

# add_changelog_entry - with the time of the last change, whenever that is built

add_changelog_entry() {
    cat - "$TREE/debian/changelog" <<-EOF | replace "$TREE/debian/changelog" || exit 1
	postfix ($VERSION) $SUITE_NAMED; urgency=medium

	  * Postfix with TLS fallback and TLS audit: debian/patches/$SUBDIR, behind
	    Debian's own patches. See README.TLS_FALLBACK.
	  * debian/control: build-depend on zlib1g-dev, for posttls-audit.
	  * New package postfix-tls-audit: posttls-audit for hosts without Postfix.

	 -- $DEBFULLNAME <$DEBEMAIL>  $(date -u -R -d "@$EPOCH")

	EOF
}

# add_news - what apt-listchanges(1) shows before an upgrade

add_news() {
    news=$TREE/debian/postfix.NEWS
    [ -f "$news" ] || : >"$news"
    cat - "$news" <<-EOF | replace "$news" || exit 1
	postfix ($VERSION) $SUITE_NAMED; urgency=medium

	  This is Debian's Postfix with TLS fallback and TLS audit. With
	  smtp_tls_fallback_level, smtp_tls_audit_template and the "fallback"
	  attribute not set, it does what it did before. See
	  /usr/share/doc/postfix/README.TLS_FALLBACK.gz.

	  After the upgrade, execute "postfix reload". Before you go back to
	  Debian's own package, remove the "fallback" attributes from all TLS
	  policy tables: it defers the mail for such a destination.

	 -- $DEBFULLNAME <$DEBEMAIL>  $(date -u -R -d "@$EPOCH")

	EOF
}

# name_maintainer - bugs of these packages go to who builds them

name_maintainer() {
    awk -v maintainer="$DEBFULLNAME <$DEBEMAIL>" -v bugs="mailto:$DEBEMAIL" '
	!done && /^Maintainer:/ {
	    print "Maintainer: " maintainer
	    print "Bugs: " bugs
	    print "XSBC-Original-" $0
	    done = skip = 1; next
	}
	skip && /^[ \t]/ { next }
	{ skip = 0 }
	/^Uploaders:/ { skip = 1; next }
	{ print }
    ' "$TREE/debian/control" | replace "$TREE/debian/control" || exit 1
}

# add_package - posttls-audit by itself, for hosts that have logs and no Postfix
#
# The program is in both packages, so it is the virtual package posttls-audit
# that these cannot share; Debian's own postfix does not have it. What keeps a
# summary up to date is in both, and is not enabled.

add_package() {
    awk '
	/^Package: / { in_postfix = ($2 == "postfix") }
	in_postfix && /^(Provides|Conflicts|Replaces):/ { sub(/:/, ": posttls-audit,") }
	{ print }
    ' "$TREE/debian/control" | cat - "$OUR_PART/control" |
	replace "$TREE/debian/control" || exit 1
    for package in postfix postfix-tls-audit; do
	for kind in service timer; do
	    cp "$TOP/postfix/auxiliary/tls-audit/posttls-audit.$kind" \
		"$TREE/debian/$package.posttls-audit.$kind" || exit 1
	done
    done
    echo auxiliary/tls-audit >"$TREE/debian/postfix-tls-audit.docs" || exit 1
    ! sed -n 's/^\([a-z_-]*:\).*/^\1/p' "$OUR_PART/rules" |
	grep -q -f - "$TREE/debian/rules" ||
	die "debian/rules of Postfix $DEBIAN has a rule that ci/debian/rules adds"
    cat "$OUR_PART/rules" >>"$TREE/debian/rules" || exit 1
}

# make_source - set TREE: Debian's source with our part, not yet applied
#
# dpkg-buildpackage applies our patches to a tree as it is unpacked; so they are
# made in another one. Upstream's signature belongs to the source, but is not
# unpacked. What is README.TLS_FALLBACK here, postfix-doc has under the name that
# it has elsewhere.

make_source() {
    say "adding patches/$BASE to Postfix $DEBIAN"
    unpack "$TMP/patched"
    make_patches "$TMP/patched"
    TREE=$TMP/postfix-${DEBIAN%%[-+~]*}
    unpack "$TREE" --skip-patches
    cp "$KEPT"/source/*.orig.tar.*.asc "$TMP/" 2>/dev/null || :
    cp -R "$TMP/patched/debian/patches/$SUBDIR" "$TREE/debian/patches/" &&
	cat "$TMP/series" >>"$TREE/debian/patches/series" || exit 1
    rm -rf "$TMP/patched"

    SUITE_NAMED=$(dpkg-parsechangelog -l "$TREE/debian/changelog" -S Distribution)
    add_changelog_entry
    add_news
    grep -qw zlib1g-dev "$TREE/debian/control" ||
	sed -i 's/^Build-Depends:/& zlib1g-dev,/' "$TREE/debian/control"
    name_maintainer
    cp "$TOP/README_FILES/TLS_FALLBACK_README" \
	"$TREE/debian/README.TLS_FALLBACK" &&
	printf '%s\n' debian/README.TLS_FALLBACK auxiliary/tls-audit \
	    >>"$TREE/debian/postfix.docs" || exit 1
    add_package
}
