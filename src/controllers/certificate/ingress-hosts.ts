import { inspectTls } from '../../lib/x509/inspect-certificate.ts';
import { namesCover } from '../../resources/certificates.ts';
import { anyHost, hostsOf } from '../../resources/ingress-facts.ts';
import { ingressOptionsOf } from '../../resources/ingress-options.ts';
import { certificates, type Ingress, type Secret } from '../../resources/kinds.ts';
import { controllerOf } from '../owners.ts';
import type { IngressHosts } from './ingress-plan.ts';
import { textIn } from './secrets.ts';

/**
 * The hosts of an Ingress object for which nobody brings a certificate: with the option `tls` all of its hosts, without it those
 * that `spec.tls` lists without a Secret. With the option, a Secret that `spec.tls` names and nobody has made is made, too: that is
 * how Ingress objects for other clusters are written.
 */
export function ingressHostsOf(ingress: Ingress, secretNamed: (name: string) => Secret | undefined): IngressHosts {
  const { tls: option, tlsPassthrough, tcpPort } = ingressOptionsOf(ingress);
  const { namespace = '', name } = ingress.metadata;
  const key = `${namespace}/${name}`;
  if (tlsPassthrough || tcpPort !== undefined) return { key, hosts: [], tls: 'none' };
  const entries = ingress.spec.tls ?? [];
  const ruleHosts = hostsOf(ingress).filter((host) => host !== anyHost);
  const listed = entries.filter(({ secretName }) => !secretName);
  const wanted = [
    ...(option !== undefined || listed.some(({ hosts = [] }) => hosts.length === 0) ? ruleHosts : []),
    ...listed.flatMap(({ hosts = [] }) => hosts),
  ];
  const asked = option === 'acme' || option === 'internal';
  const named = entries.flatMap(({ secretName, hosts = ruleHosts }) => {
    if (!secretName || !asked || hosts.length === 0) return [];
    const secret = secretNamed(secretName);
    return secret && !isMade(secret) ? [] : [{ secretName, hosts }];
  });
  const brought = entries.flatMap(({ secretName, hosts = [] }) => {
    if (!secretName) return [];
    return hosts.length > 0 ? hosts : namesIn(secretNamed(secretName));
  });
  const taken = [...brought, ...named.flatMap(({ hosts }) => hosts)];
  const hosts = [...new Set(wanted)].filter((host) => !namesCover(taken, [host]));
  return { key, hosts, tls: option, ...(named.length > 0 ? { named } : {}) };
}

/** By the certificate controller: it is no one's own. */
function isMade(secret: Secret): boolean {
  return controllerOf(secret)?.kind === certificates.kind;
}

function namesIn(secret: Secret | undefined): readonly string[] {
  return secret ? (inspectTls(textIn(secret, 'tls.crt'), textIn(secret, 'tls.key')).facts?.names ?? []) : [];
}
