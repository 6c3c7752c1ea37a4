import { type InspectedTls, inspectTls, isSignedBy } from '../../lib/x509/inspect-certificate.ts';
import { type Certificate, type CertificateIssuer, secretNameOf } from '../../resources/certificates.ts';
import { certificates as certificateKind, type Secret } from '../../resources/kinds.ts';
import { annotations } from '../../resources/names.ts';
import { controllerOf, controllerRef } from '../owners.ts';
import type { ObservedSecret } from './plan.ts';

export const tlsSecretType = 'kubernetes.io/tls';
/** Of the key of an order that runs: it must outlive the leader that made it. */
export const orderKeyType = 'flotilla.dev/certificate-order-key';

/** Looks into Secrets; what it found in one is kept as long as that version of it is. */
export interface SecretReader {
  inspect(secret: Secret): InspectedTls;
  /** What it has for a Certificate. */
  observe(secret: Secret, certificate: Certificate, authorityPem: string | undefined): ObservedSecret;
}

export function createSecretReader(): SecretReader {
  const inspected = new WeakMap<Secret, InspectedTls>();
  const signers = new WeakMap<Secret, { readonly authorityPem: string; readonly isOfAuthority: boolean }>();

  function inspect(secret: Secret): InspectedTls {
    const known = inspected.get(secret);
    if (known) return known;
    const found =
      secret.type === tlsSecretType
        ? inspectTls(textIn(secret, 'tls.crt'), textIn(secret, 'tls.key'))
        : { problem: `its type is ${secret.type ?? 'Opaque'}, not ${tlsSecretType}` };
    inspected.set(secret, found);
    return found;
  }

  function isOf(secret: Secret, authorityPem: string): boolean {
    const known = signers.get(secret);
    if (known?.authorityPem === authorityPem) return known.isOfAuthority;
    const isOfAuthority = isSignedBy(textIn(secret, 'tls.crt'), authorityPem);
    signers.set(secret, { authorityPem, isOfAuthority });
    return isOfAuthority;
  }

  return {
    inspect,
    observe: (secret, certificate, authorityPem) => {
      const issuer = secret.metadata.annotations?.[annotations.certificateIssuer];
      return {
        ...inspect(secret),
        isOwn: controllerOf(secret)?.uid === certificate.metadata.uid,
        ...(issuer === undefined ? {} : { issuer }),
        ...(issuer === 'internal' && authorityPem !== undefined ? { isOfAuthority: isOf(secret, authorityPem) } : {}),
      };
    },
  };
}

export function textIn(secret: Secret, key: string): string {
  return Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
}

export interface IssuedTls {
  readonly chain: string;
  readonly key: string;
  /** Whom clients have to believe, when they do not anyway. */
  readonly authority?: string;
}

/** The Secret of a Certificate with what was issued; `old` is what is there now. */
export function tlsSecret(
  certificate: Certificate,
  issuer: CertificateIssuer,
  { chain, key, authority }: IssuedTls,
  old: Secret | undefined,
): Secret {
  const data = {
    'tls.crt': base64(chain),
    'tls.key': base64(key),
    ...(authority ? { 'ca.crt': base64(authority) } : {}),
  };
  if (old) {
    const metadata = {
      ...old.metadata,
      annotations: { ...old.metadata.annotations, [annotations.certificateIssuer]: issuer },
    };
    return { ...old, metadata, data };
  }
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: secretNameOf(certificate),
      namespace: certificate.metadata.namespace ?? '',
      annotations: { [annotations.certificateIssuer]: issuer },
      ownerReferences: [controllerRef(certificateKind, certificate)],
    },
    type: tlsSecretType,
    data,
  };
}

export function orderKeyName(certificate: Certificate): string {
  return `${secretNameOf(certificate).slice(0, 240)}.order`;
}

export function orderKeySecret(certificate: Certificate, key: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: orderKeyName(certificate),
      namespace: certificate.metadata.namespace ?? '',
      ownerReferences: [controllerRef(certificateKind, certificate)],
    },
    type: orderKeyType,
    data: { 'tls.key': base64(key) },
  };
}

export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
