#!/bin/sh
# Like the public image: *.template files become configuration with the environment filled in, NGINX_LOCAL_RESOLVERS
# among it; scripts in /docker-entrypoint.d run first.
set -e
if [ "$1" = nginx ]; then
  NGINX_LOCAL_RESOLVERS=$(awk '$1 == "nameserver" { print ($2 ~ /:/) ? "[" $2 "]" : $2 }' /etc/resolv.conf | xargs)
  export NGINX_LOCAL_RESOLVERS
  for script in /docker-entrypoint.d/*.sh; do
    if [ -x "$script" ]; then "$script"; fi
  done
  for template in /etc/nginx/templates/*.template; do
    [ -f "$template" ] || continue
    names=$(env | cut -d= -f1 | sed 's/.*/${&}/' | tr '\n' ' ')
    target=/etc/nginx/conf.d/$(basename "$template" .template)
    envsubst "$names" <"$template" >"$target"
  done
fi
exec "$@"
