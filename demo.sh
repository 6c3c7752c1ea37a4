#!/bin/sh
# Sets everything up and does the main job: a lab of three hosts, the guestbook and a shop on it, their URLs printed.
# Runs again and again; "bin/flotilla lab down" takes the lab away.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh

say "images for the lab's registry"
node scripts/images/build.ts

network=${FLOTILLA_DEMO_NETWORK:-10.99.0.0/24}
if bin/flotilla lab ls --name demo 2>/dev/null | awk '$5 != "on" && NR > 1 { off = 1 } END { exit NR < 2 || off }' &&
  bin/flotilla context use demo; then
  say "the lab is up already: using it"
else
  bin/flotilla lab down --name demo # what a restart of the machine, or an attempt that was broken off, has left
  say "a lab of three hosts in $network, each with its own Docker and agent"
  bin/flotilla lab up --name demo --hosts 3 --network "$network"
fi

say "flotilla deploy -f examples/guestbook/flotilla.yml"
bin/flotilla --context demo deploy -f examples/guestbook/flotilla.yml
bin/flotilla --context demo ps

url=http://$(bin/flotilla --context demo ps guestbook -o json | node -e '
  const pods = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  console.log(pods.find((pod) => pod.metadata.labels["flotilla.dev/service"] === "proxy").status.hostIP);'):8080/
say "curl $url"
curl --silent --show-error --fail --retry 5 --retry-connrefused --max-time 10 "$url"
say "The guestbook answers on $url"

say "flotilla deploy -f examples/shop/flotilla.yml"
bin/flotilla --context demo deploy -f examples/shop/flotilla.yml
authority=${TMPDIR:-/tmp}/flotilla-demo-authority.pem
bin/flotilla --context demo certificate ca >"$authority"
name=web.shop.localhost
for address in $(bin/flotilla --context demo node ls -o json | node -e '
  const nodes = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
  for (const { status } of nodes) console.log(status.addresses.find(({ type }) => type === "InternalIP").address);'); do
  say "curl https://$name/ by $address"
  curl --silent --show-error --fail --retry 10 --retry-all-errors --retry-delay 1 --max-time 10 \
    --cacert "$authority" --resolve "$name:443:$address" "https://$name/"
done
say "https://$name answers on every host of the lab"
bin/flotilla --context demo ingress ls
say "Try: curl --cacert $authority --resolve $name:443:$address https://$name/ · bin/flotilla ingress stats"
say "Try: bin/flotilla ps · bin/flotilla scale shop/web=5 · bin/flotilla lab off h2 --name demo · bin/flotilla lab down --name demo"
