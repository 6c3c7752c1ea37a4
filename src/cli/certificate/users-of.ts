import { namesCover, secretNameOf } from '../../resources/certificates.ts';
import type { Certificate, Ingress } from '../../resources/kinds.ts';

/** Ingress objects that are shown with it: they name its Secret, or have one of its hosts. `<namespace>/<name>`. */
export function usersOf(certificate: Certificate, ingresses: readonly Ingress[]): string[] {
  const { namespace } = certificate.metadata;
  return ingresses
    .filter(({ metadata, spec }) => {
      if (metadata.namespace !== namespace) return false;
      const tls = spec.tls ?? [];
      if (tls.some(({ secretName }) => secretName === secretNameOf(certificate))) return true;
      const brought = tls.flatMap(({ secretName, hosts = [] }) => (secretName ? hosts : []));
      const hosts = [
        ...(spec.rules ?? []).flatMap(({ host }) => host ?? []),
        ...tls.flatMap(({ hosts = [] }) => hosts),
      ];
      return hosts.some((host) => namesCover(certificate.spec.hosts, [host]) && !namesCover(brought, [host]));
    })
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
}
