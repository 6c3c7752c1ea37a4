#!/bin/sh
# Sets everything up and does the main job: a lab of three hosts, the guestbook on it, its URL printed.
# Runs again and again; "bin/flotilla lab down" takes the lab away.
set -eu
cd "$(dirname "$0")"
. scripts/setup.sh

say "images for the lab's registry"
node scripts/images/build.ts

if bin/flotilla lab ls --name demo >/dev/null 2>&1; then
  say "the lab is up already: using it"
  bin/flotilla context use demo
else
  say "a lab of three hosts (10.99.0.1 to 10.99.0.3), each with its own Docker and agent"
  bin/flotilla lab up --name demo --hosts 3
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
say "Try: bin/flotilla ps · bin/flotilla scale guestbook/app=5 · bin/flotilla lab off h2 --name demo · bin/flotilla lab down --name demo"
