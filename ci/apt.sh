# Functions for programs in ci/ that use apt. To be read with `.', after lib.sh.

# debian_keyring - the distribution's keys; nothing if they are not installed

debian_keyring() {
    for file in /usr/share/keyrings/debian-archive-keyring.gpg \
	/usr/share/keyrings/debian-archive-keyring.pgp; do
	[ ! -f "$file" ] || { echo "$file"; break; }
    done
}

# index_targets - OPTION...: what the machine's apt knows of binary packages
#
# Apt would bring its caches up to date on the way; they are the machine's.

index_targets() {
    apt-get -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache= \
	indextargets "$@" 'Created-By: Packages' 'Component: main' 2>/dev/null
}

# archives - SUITE: URI and suite of every archive that may have something of it
#
# Asked twice: of the indexes that the machine has, where the origin is known,
# and else of its bare configuration. A wrong guess does no harm: only what the
# distribution's own key has signed is used.

archives() {
    {
	index_targets --format '$(ORIGIN) $(REPO_URI) $(RELEASE)' |
	    sed -n 's/^Debian //p' | grep . ||
	    index_targets --no-release-info --format '$(REPO_URI) $(RELEASE)'
    } | while read -r uri release; do
	case $release in
	*-security) echo "$uri $1-security";;
	*-updates) echo "$uri $1-updates";;
	*-*|*/*) ;;
	*) echo "$uri $1";;
	esac
    done | sort -u
}

# private_apt - DIRECTORY SUITE KEYRING TYPE...: configure apt to work there only
#
# The machine's apt.conf still counts for proxies and the like, but not its
# hooks, which may act on the machine's own cache. TYPE is deb or deb-src. Fails
# if the machine has no archive that may have the suite.

private_apt() {
    apt=$1 suite=$2 keyring=$3
    shift 3
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/empty"
    : >"$apt/status"
    cat >"$apt/apt.conf" <<-EOF
	Dir::State "$apt";
	Dir::State::Lists "$apt/lists";
	Dir::State::Status "$apt/status";
	Dir::Cache "$apt/cache";
	Dir::Etc::SourceList "$apt/sources.list";
	Dir::Etc::SourceParts "$apt/empty";
	Dir::Etc::Preferences "$apt/none";
	Dir::Etc::PreferencesParts "$apt/empty";
	APT::Sandbox::User "$(id -un 2>/dev/null)";
	APT::Get::List-Cleanup "true";
	Acquire::Languages "none";
	Acquire::Retries "2";
	#clear APT::Update::Pre-Invoke;
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	EOF
    archives "$suite" | while read -r uri archive; do
	for type in "$@"; do
	    echo "$type [signed-by=$keyring] $uri $archive main"
	done
    done >"$apt/sources.list"
    [ -s "$apt/sources.list" ]
}

# from_any_archive - DIRECTORY TYPE COMMAND...: apt-get with one archive at a time
#
# A security update is listed by two archives after a point release, but apt
# asks only one of them. Run in the present directory until it succeeds.

from_any_archive() {
    apt=$1 type=$2
    shift 2
    : >"$apt/log"
    grep "^$type " "$apt/sources.list" >"$apt/entries"
    while read -r entry; do
	echo "$entry" >"$apt/entry"
	apt-get -c "$apt/apt.conf" -o Dir::Etc::SourceList="$apt/entry" \
	    -q "$@" >>"$apt/log" 2>&1 </dev/null && return
    done <"$apt/entries"
    return 1
}

# without_services - run a command while packages must not start daemons

without_services() {
    policy=/usr/sbin/policy-rc.d
    if [ ! -e $policy ]; then
	cleanup_on_exit $policy
	printf '#!/bin/sh\nexit 101\n' >$policy
	chmod +x $policy
    fi
    "$@"
}
