import type { ConfigMap, Namespace, Secret, ServiceAccount } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';

export const defaultAccountName = 'default';
/** Where clients in pods find the certificate of the servers' authority. */
export const rootCertificateName = 'kube-root-ca.crt';
export const certificateKey = 'ca.crt';

/** What every namespace has; one that has nothing else is empty. */
export function isOfEveryNamespace({ kind, metadata }: ApiObject): boolean {
  const name = { ServiceAccount: defaultAccountName, ConfigMap: rootCertificateName }[kind];
  return name !== undefined && metadata.name === name;
}

export type NamespaceStep =
  | { readonly type: 'createAccount' }
  | { readonly type: 'createCertificate' }
  | { readonly type: 'updateCertificate'; readonly configMap: ConfigMap };

export interface NamespaceObservation {
  readonly namespace: Namespace;
  /** That of the name `default`. */
  readonly account: ServiceAccount | undefined;
  readonly certificate: ConfigMap | undefined;
  readonly caCertificate: string;
}

/** Every namespace has an account for pods that name none, and the authority's certificate. */
export function planNamespaceAccount(observed: NamespaceObservation): NamespaceStep[] {
  const { namespace, account, certificate, caCertificate } = observed;
  if (namespace.metadata.deletionTimestamp) return [];
  const steps: NamespaceStep[] = account ? [] : [{ type: 'createAccount' }];
  if (!certificate) steps.push({ type: 'createCertificate' });
  else if (certificate.data?.[certificateKey] !== caCertificate && !certificate.metadata.deletionTimestamp) {
    const data = { ...certificate.data, [certificateKey]: caCertificate };
    steps.push({ type: 'updateCertificate', configMap: { ...certificate, data } });
  }
  return steps;
}

export const tokenSecretType = 'kubernetes.io/service-account-token';
export const accountNameAnnotation = 'kubernetes.io/service-account.name';
export const accountUidAnnotation = 'kubernetes.io/service-account.uid';

export type SecretStep =
  /** `data` is complete but for the token, which has to be made when `needsToken`. */
  | { readonly type: 'fill'; readonly secret: Secret; readonly account: ServiceAccount; readonly needsToken: boolean }
  /** It was made for an account that is gone. */
  | { readonly type: 'delete'; readonly secret: Secret };

export interface SecretObservation {
  readonly secret: Secret;
  /** Of the name that the Secret gives. */
  readonly account: ServiceAccount | undefined;
  readonly caCertificate: string;
}

/** Secrets of the old kind: they ask for a token of an account by their type and an annotation. */
export function planTokenSecret({ secret, account, caCertificate }: SecretObservation): SecretStep[] {
  const { annotations, deletionTimestamp, namespace = '' } = secret.metadata;
  if (secret.type !== tokenSecretType || deletionTimestamp) return [];
  const filledFor = annotations?.[accountUidAnnotation];
  const { uid } = account?.metadata ?? {};
  // Not filled yet: the account may come a moment later.
  if (!account || !uid || account.metadata.deletionTimestamp) return filledFor ? [{ type: 'delete', secret }] : [];
  if (filledFor !== undefined && filledFor !== uid) return [{ type: 'delete', secret }];
  const wanted = { 'ca.crt': base64(caCertificate), namespace: base64(namespace) };
  const needsToken = !secret.data?.token;
  const isRight = Object.entries(wanted).every(([key, value]) => secret.data?.[key] === value);
  if (isRight && !needsToken && filledFor === uid) return [];
  const metadata = { ...secret.metadata, annotations: { ...annotations, [accountUidAnnotation]: uid } };
  const filled = { ...secret, metadata, data: { ...secret.data, ...wanted } };
  return [{ type: 'fill', secret: filled, account, needsToken }];
}

export function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}
