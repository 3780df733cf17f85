#!/bin/sh
# Tries the Debian package in a fresh Debian: installs, uses, upgrades, removes and purges it. As root; needs debootstrap.
#
#   Tests/package.sh [EXECUTABLE]        EXECUTABLE: .build/release/mqtt-fs-worker if it is left out
#
# DEBIAN_RELEASE (bookworm) must have the libraries that the executable was built with. DEBIAN_MIRROR is where it comes from.
# DEBIAN_CACHE is a folder that keeps it for the next time; without it nothing is kept.
set -eu

# Mounts below end with this script.
if [ "${IN_NAMESPACE:-}" != 1 ]; then exec env IN_NAMESPACE=1 unshare --mount --propagation private "$0" "$@"; fi

cd "$(dirname "$0")/.."
executable=$(realpath "${1:-.build/release/mqtt-fs-worker}")
release=${DEBIAN_RELEASE:-bookworm}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
name=mqtt-fs-worker

say() { printf '\n== %s\n' "$*"; }
fail() {
  echo "FAILED: $*" >&2
  exit 1
}

[ "$(id -u)" = 0 ] || fail "run it as root: it makes a chroot"
[ -x "$executable" ] || fail "$executable is not built"
.ci/install-packages debootstrap dpkg-dev
scratch=$(mktemp -d)
trap 'umount "$scratch/debian/proc" 2>/dev/null || true; rm -rf --one-file-system "$scratch"' EXIT
trap 'exit 1' HUP INT TERM
debian=$scratch/debian
in_debian() { chroot "$debian" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

say "$release, with what the package depends on"
image=${DEBIAN_CACHE:-$scratch}/$release-$(dpkg --print-architecture).tar
if [ ! -e "$image" ]; then
  mkdir -p "$(dirname "$image")"
  debootstrap --variant=minbase --include=man-db "$release" "$scratch/made" "$mirror" >"$scratch/log" 2>&1 || {
    tail -n 20 "$scratch/log" >&2
    fail "debootstrap"
  }
  tar -C "$scratch/made" -cf "$image.new" .
  mv "$image.new" "$image"
  rm -rf --one-file-system "$scratch/made"
fi
mkdir "$debian"
tar -C "$debian" -xf "$image"
mount -t proc proc "$debian/proc"
# The host's name servers and proxy, for apt.
cp /etc/resolv.conf "$debian/etc/resolv.conf"
apt-config dump 2>/dev/null | grep -iE '^Acquire::(http|https)::proxy ' >"$debian/etc/apt/apt.conf.d/90proxy" || true

first=$(cd "$scratch" && DEB_COMPRESSION=gzip "$OLDPWD/packaging/build-deb" "$executable" 2>&1)
next=$(cd "$scratch" && DEB_COMPRESSION=gzip "$OLDPWD/packaging/build-deb" "$executable" 99.0-1)
depends=$(dpkg-deb -f "$scratch/$first" Depends | sed 's/ *([^)]*)//g; s/,/ /g')
cp "$scratch/$first" "$scratch/$next" "$debian/root/"
in_debian apt-get -qq update
# shellcheck disable=SC2086 # a list of words
in_debian apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends $depends >/dev/null

# Everything but what dpkg, apt and man-db write about packages, and adduser about users.
listing() {
  in_debian find / -xdev \( -path /proc -o -path /root -o -path /tmp -o -path /var/lib/dpkg -o -path /var/cache -o -path /var/log \
    -o -path /var/lib/apt -o -path /run -o -path '/etc/*shadow-' \) -prune -o -print | sort
}
# Prints what is there now and was not there before the package came.
left() { listing | comm -13 "$scratch/before" -; }
expect() { [ "$1" = "$2" ] || fail "$3: $1"; }
listing >"$scratch/before"

say "Install"
in_debian apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends "/root/$first" >/dev/null
expect "$(in_debian dpkg -V $name)" "" "files are not as the package has them"
expect "$(in_debian $name --version)" "$("$executable" --version)" "it has another version"
expect "$(in_debian id -un $name)" $name "there is no user"
for page in $name $name-submit $name-work; do in_debian man -w "$page" >/dev/null || fail "man does not find $page"; done
in_debian whatis $name-submit | grep -q 'copies a job folder' || fail "whatis does not know $name-submit"

say "A job without a broker, as the user of the package"
# shellcheck disable=SC2016 # for the inner shell
in_debian setpriv --reuid $name --regid $name --init-groups sh -euc '
  cd "$(mktemp -d)"
  echo "{\"id\":\"try\",\"steps\":[\"id -un >user\"]}" >test-payload.json
  mqtt-fs-worker --dry-run >log 2>&1 || { cat log >&2; exit 1; }
  cat jobs/try/results/user' >"$scratch/user"
expect "$(cat "$scratch/user")" $name "the step ran as another user"

say "Once more, and an upgrade; a changed setting stays"
echo JOB_TIMEOUT=1h >>"$debian/etc/$name/worker.env"
in_debian dpkg -i "/root/$first" >/dev/null
in_debian "/var/lib/dpkg/info/$name.postinst" configure
in_debian dpkg -i "/root/$next" >/dev/null
grep -q '^JOB_TIMEOUT=1h' "$debian/etc/$name/worker.env" || fail "the upgrade changed a setting"

# What systemd makes when a worker is enabled and started.
install -d "$debian/var/lib/$name/1/job" "$debian/etc/systemd/system/multi-user.target.wants"
ln -s "/usr/lib/systemd/system/$name@.service" "$debian/etc/systemd/system/multi-user.target.wants/$name@1.service"
mkdir -p "$debian/srv/jobs/job"
links="/etc/systemd/system/multi-user.target.wants/$name@1.service"

say "Remove"
in_debian dpkg -r $name >/dev/null
expect "$(left | grep -vE "^/var/lib/$name(/|$)|^/srv/jobs|^/etc/systemd" | tr '\n' ' ')" "/etc/$name /etc/$name/worker.env " "left over"
expect "$(left | grep '\.wants/')" "$links" "it does not remember which workers are enabled"

say "Purge"
in_debian dpkg -P $name >/dev/null
rmdir --ignore-fail-on-non-empty "$debian/etc/systemd/system/multi-user.target.wants"
expect "$(left | grep -vE '^/etc/systemd(/system)?$' | tr '\n' ' ')" "/srv/jobs /srv/jobs/job " "left over, besides the volume"
in_debian id $name >/dev/null || fail "the user is gone"
expect "$(in_debian dpkg -l $name 2>/dev/null | grep -c '^.i')" 0 "dpkg still knows it"
say "The package installs, works, upgrades, and leaves nothing behind"
