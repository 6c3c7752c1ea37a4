export interface ResolvConf {
  readonly nameserver: string;
  readonly namespace: string;
  /** `cluster.local` */
  readonly domain: string;
}

/**
 * Our own file, mounted: the engine's 127.0.0.11 dies with the engine. `ndots:3` lets `db-0.db.shop` walk the search list, which
 * musl does for no name with that many dots (ADR 0026); the steps of a walk are answered on the node, in a tenth of a millisecond.
 */
export function renderResolvConf({ nameserver, namespace, domain }: ResolvConf): string {
  return [
    `nameserver ${nameserver}`,
    `search ${namespace}.svc.${domain} svc.${domain} ${domain}`,
    'options ndots:3',
    '',
  ].join('\n');
}
