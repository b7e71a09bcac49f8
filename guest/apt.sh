# shellcheck shell=bash
# Sourced by guest/fetch: apt for any Debian suite, in the cache, with nothing of the machine's own apt changed.
# It needs lib.sh.
: "${cache:?}"
debs=''

# mirror SUITE: the archive to take a suite from: the one that the machine itself uses for its release or for security.
mirror() {
	local codename sources
	codename=$(release)
	# apt reads its own sources best: deb822 or one-line, any number of files.
	# shellcheck disable=SC2016
	sources=$(apt-get indextargets --no-release-info --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages')
	case $1 in
	*-security) awk -v suite="$codename-security" '$2 == suite && $3 == "main" { print $1; exit }' <<<"$sources" ;;
	*) awk -v suite="$codename" '$2 == suite && $3 == "main" { print $1; exit }' <<<"$sources" ;;
	esac
}

# private_apt SUITE [ARCHITECTURE]: an apt.conf for this suite alone, its lists fresh.
private_apt() {
	local arch=${2:-amd64} dir=$cache/apt/$1 uri
	[[ $arch == amd64 ]] || dir+=-$arch
	uri=$(mirror "$1")
	[[ $uri ]] || die "this machine's apt sources name no archive to take '$1' from"
	mkdir -p "$dir"/etc/preferences.d "$dir"/lists/partial "$dir"/cache/archives/partial
	: >"$dir/status"
	echo "deb [arch=$arch signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $1 main" >"$dir/etc/sources.list"
	cat >"$dir/apt.conf" <<-END
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
		Dir::State "$dir";
		Dir::State::status "$dir/status";
		Dir::State::Lists "$dir/lists";
		Dir::Cache "$dir/cache";
		Dir::Etc::sourcelist "$dir/etc/sources.list";
		Dir::Etc::sourceparts "$dir/etc/sources.list.d";
		Dir::Etc::preferences "$dir/etc/preferences";
		Dir::Etc::preferencesparts "$dir/etc/preferences.d";
		APT::Architecture "$arch";
		APT::Architectures { "$arch"; };
		APT::Sandbox::User "root";
		Acquire::Languages "none";
		Acquire::Retries "3";
	END
	mkdir -p "$dir/etc/sources.list.d"
	quietly "$dir/update.log" flock "$dir/lock" apt-get -c "$dir/apt.conf" update -q || die "apt-get update failed for $1"
	echo "$dir/apt.conf"
}

# closure CONF PACKAGE...: the packages that these depend on and that hold a kernel, its headers or its build tools.
closure() {
	local conf=$1
	shift
	apt-cache -c "$conf" depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks --no-replaces --no-enhances "$@" |
		grep -E '^linux-(image|binary|base|modules|headers|kbuild|source)-[^<>]*$' | grep -v -e '-unsigned$' | sort -u
}

# download CONF: the files that stdin names as `apt-get download --print-uris` does, into the folder where it runs. What is there
# and whole is left alone, and what was cut off goes on where it was: apt-get download would begin it again.
download() {
	local uri file hash
	while read -r uri file _ hash; do
		! sha256sum --status -c <<<"${hash#SHA256:}  $file" 2>/dev/null || continue
		quietly log /usr/lib/apt/apt-helper -c "$1" -q download-file "$uri" "$file" "$hash" </dev/null || return
	done
}

# unpack WHAT CONF DIR PACKAGE...: download packages, those that `debs` has not got yet or not whole, and unpack them below DIR.
unpack() {
	local what=$1 conf=$2 dir=$3 files file size
	shift 3
	# not where a part of one is, which it would remove
	files=$(cd / && apt-get -c "$conf" download --print-uris -q "$@" | tr -d "'")
	[[ $files ]] || die "there is no $*"
	size=$(cd "$debs" && while read -r _ file size _; do
		[[ ! -e $file ]] || size=$((size - $(stat -c %s "$file")))
		echo "$size"
	done <<<"$files" | awk '{ bytes += $1 } END { print int(bytes / 1000000 + 1) }')
	say "fetching $what (once, $size MB)"
	(cd "$debs" && download "$conf" <<<"$files") || die "could not download $*"
	mkdir -p "$dir"
	while read -r _ file _; do
		dpkg-deb -x "$debs/$file" "$dir"
	done <<<"$files"
}
