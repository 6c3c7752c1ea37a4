export interface ResolvConf {
  readonly nameserver: string;
  readonly namespace: string;
  /** `cluster.local` */
  readonly domain: string;
}

/**
 * Our own file, mounted: the engine's 127.0.0.11 dies with the engine. `ndots:2` lets `db.shop` walk the search list and
 * sends `www.example.org` out as it is.
 */
export function renderResolvConf({ nameserver, namespace, domain }: ResolvConf): string {
  return [
    `nameserver ${nameserver}`,
    `search ${namespace}.svc.${domain} svc.${domain} ${domain}`,
    'options ndots:2',
    '',
  ].join('\n');
}
