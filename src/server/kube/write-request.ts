import type { Strictness } from '../../resources/decode.ts';
import type { Kind } from '../../resources/kind.ts';
import type { ApiObject } from '../../resources/object.ts';
import { warningsOf } from '../../resources/warnings.ts';
import { badRequest } from '../registry/api-errors.ts';
import type { Call } from '../registry/call.ts';
import type { Registry } from '../registry/registry.ts';
import type { Exchange } from './exchange.ts';

/** A write, understood but for its body. */
export interface Write {
  readonly exchange: Exchange;
  readonly registry: Registry;
  readonly kind: Kind;
  readonly namespace: string | undefined;
  readonly call: Call;
  readonly strictness: Strictness;
  readonly isForced: boolean;
}

/** The path says where an object is; the body may say the same, or nothing. Throws ApiError 400. */
export function inNamespace(write: Write, object: ApiObject): ApiObject {
  if (!write.kind.namespaced) return object;
  const sent = object.metadata.namespace;
  if (sent && write.namespace !== undefined && sent !== write.namespace) {
    throw badRequest(
      `the namespace of the provided object does not match the namespace sent on the request: ${sent}, ${write.namespace}`,
    );
  }
  if (write.namespace !== undefined) object.metadata.namespace = write.namespace;
  return object;
}

/** What is understood but works in another way than elsewhere is said. */
export function warned(write: Write, object: ApiObject): ApiObject {
  for (const sentence of warningsOf(write.kind, object)) write.call.warn?.(sentence);
  return object;
}
