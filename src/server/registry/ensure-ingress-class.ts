import { isApiError } from '../../resources/api-error.ts';
import { apiVersionOf } from '../../resources/kind.ts';
import { defaultClassAnnotation, ownClass, ownController } from '../../resources/kinds/ingress-class.ts';
import { ingressClasses } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Registry } from './registry.ts';

/** The class of Flotilla's own proxies, the default one. What is there stays: another class may have become the default. */
export async function ensureIngressClass(registry: Registry, grid: string): Promise<void> {
  const metadata = { name: ownClass, annotations: { [defaultClassAnnotation]: 'true' } };
  const identity = { apiVersion: apiVersionOf(ingressClasses), kind: ingressClasses.kind };
  const object: ApiObject & { spec: object } = { ...identity, metadata, spec: { controller: ownController } };
  await registry.create({ grid }, ingressClasses, object).catch((error: unknown) => {
    if (!isApiError(error, 'AlreadyExists')) throw error;
  });
}
