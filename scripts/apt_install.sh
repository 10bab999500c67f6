#!/bin/sh
# Installs Debian packages where apt and the right to use it are there; fails quietly otherwise. Services that a package
# brings are not started, and PostgreSQL's makes no cluster: the two files below are Debian's way to say so
# (invoke-rc.d(8), pg_createcluster(1)). Both are there for the time of the installation only.
set -eu
command -v apt-get >/dev/null 2>&1 || exit 1
if [ "$(id -u)" = 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    exit 1
fi

policy=/usr/sbin/policy-rc.d
cluster=/etc/postgresql-common/createcluster.d/no-main-cluster.conf
made=
trap '[ -z "$made" ] || $as_root rm -f $made' EXIT
if ! [ -e "$policy" ]; then
    made=$policy
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod +x "$policy"
fi
if [ "$1" = postgresql ] && ! [ -e "$cluster" ]; then
    made="$made $cluster"
    $as_root mkdir -p "${cluster%/*}"
    echo 'create_main_cluster = false' | $as_root tee "$cluster" >/dev/null
fi

echo "Installing with apt: $* …"
export DEBIAN_FRONTEND=noninteractive
quietly="-qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300" # seconds; the machine may be updating itself
# shellcheck disable=SC2086
$as_root apt-get install -y $quietly --no-install-recommends "$@" >/dev/null 2>&1 || {
    $as_root apt-get update $quietly >/dev/null
    $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y $quietly --no-install-recommends "$@" >/dev/null
}
