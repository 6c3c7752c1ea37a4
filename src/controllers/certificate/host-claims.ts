import { hostsOf } from '../../resources/ingress-facts.ts';
import { isOurIngress } from '../../resources/is-our-ingress.ts';
import type { Certificate, Ingress, IngressClass } from '../../resources/kinds.ts';
import { keyOf } from '../owners.ts';
import type { SharedInformer } from '../shared-informer.ts';

/** Who may have a certificate for which hosts. */
export interface HostClaims {
  /**
   * Why a namespace gets no certificate: another one's Ingress object has the host. Challenges are answered for every host that
   * leads here, so whoever may make a Certificate could otherwise get the key of his neighbour's. Undefined: it may.
   */
  problemOf(certificate: Certificate): string | undefined;
}

export function createHostClaims(
  ingresses: SharedInformer<Ingress>,
  classes: Pick<SharedInformer<IngressClass>, 'list'>,
): HostClaims {
  ingresses.index('claimed-host', (ingress) => hostsOf(ingress).flatMap((host) => [host, wildcardOver(host)]));
  return {
    problemOf({ metadata, spec }) {
      for (const host of spec.hosts) {
        const rivals = ingresses
          .byIndex('claimed-host', host)
          .filter((one) => one.metadata.namespace !== metadata.namespace)
          .filter((one) => host.startsWith('*') || hostsOf(one).includes(host));
        if (rivals.length === 0) continue;
        const known = new Map([...classes.list()].map((one) => [one.metadata.name, one]));
        const owner = rivals.find((one) => isOurIngress(one, known));
        if (owner) return `host ${host} belongs to Ingress ${keyOf(owner)}, of another namespace`;
      }
      return undefined;
    },
  };
}

/** The wildcard certificate that would be good for it. */
function wildcardOver(host: string): string {
  return host.startsWith('*') ? host : `*${host.slice(Math.max(0, host.indexOf('.')))}`;
}
