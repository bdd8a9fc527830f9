#!/bin/sh
# Makes a fresh Debian machine ready for `npm start` and `npm test`: Debian packages, Go, npm packages. Run as root.
# Arguments are further Debian packages. Plain sh, because nothing else is there yet. Says what it installs; does nothing when all is there.
set -eu
cd "$(dirname "$0")/.."

fail() {
  echo "berth: $*" >&2
  exit 1
}

[ "$(uname -s)" = Linux ] || fail "a Kubernetes node is built in Linux namespaces; this is $(uname -s). Use a Linux machine or VM."
[ "$(id -u)" = 0 ] || fail "namespaces, mounts and loop devices need root; run it again as root (sudo npm …)."

# One at a time: two runs of apt or npm side by side break each other. The lock goes with this shell and what it started.
exec 9<scripts/prepare.sh
flock --nonblock 9 || {
  echo "Waiting for another preparation in this folder" >&2
  flock 9
}

# What for: runc, nftables, iproute2, conntrack (cluster) · xfsprogs, e2fsprogs, btrfs-progs (volumes) · buildah, mmdebstrap (the image) ·
# busybox-static (the examples' image).
packages="runc nftables libnftables1 iproute2 conntrack xfsprogs e2fsprogs btrfs-progs util-linux buildah mmdebstrap busybox-static ca-certificates $*"
missing=""
for package in $packages; do
  [ "$(dpkg-query -W -f '${Status}' "$package" 2>/dev/null)" = "install ok installed" ] || missing="$missing $package"
done

# Go from 1.21 on fetches the toolchain that a go.mod asks for. The same places as cluster/go.ts: sudo's PATH has not all.
goes() {
  for go in go /usr/local/go/bin/go /usr/lib/go-1.*/bin/go; do
    if "$go" version 2>/dev/null | awk '{ split(substr($3, 3), v, "."); if (v[1] > 1 || v[2] >= 21) ok = 1 } END { exit !ok }'; then
      return 0
    fi
  done
  return 1
}
goes || missing="$missing golang-go"

if [ -n "$missing" ]; then
  command -v apt-get >/dev/null 2>&1 || fail "these programs are missing and there is no apt-get to install them:$missing"
  echo "Installing Debian packages:$missing" >&2
  log=$(mktemp)
  if ! { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    fail "apt-get could not install:$missing (the whole output is in $log)"
  fi
  rm -f "$log"
fi
goes || fail "Go 1.21 or newer is needed to build Kubernetes, and Debian's is older; install one (Debian: golang from backports)."

# node_modules is right when it was installed from this very lock file.
wanted=$(sha256sum package-lock.json | cut -d ' ' -f 1)
if [ "$(cat node_modules/.berth-lock 2>/dev/null || true)" != "$wanted" ]; then
  echo "Installing npm packages (Node 26 among them)" >&2
  log=$(mktemp)
  if ! npm ci --no-fund --no-audit >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    fail "npm ci failed (the whole output is in $log)"
  fi
  rm -f "$log"
  echo "$wanted" >node_modules/.berth-lock
fi
