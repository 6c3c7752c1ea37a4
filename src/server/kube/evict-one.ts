import { stopFirst } from '../../resources/eviction-surge.ts';
import { annotations } from '../../resources/names.ts';
import { evictionBody } from '../../resources/review-bodies.ts';
import { type EvictDependencies, evictPod } from '../eviction/evict.ts';
import { badRequest } from '../registry/api-errors.ts';
import type { Ref } from '../registry/registry.ts';
import { dryIf } from './delete-options.ts';
import { decodeBody, mediaType, readBody } from './request-body.ts';
import type { Write } from './write-request.ts';

/** `POST pods/<name>/eviction`; answers a Status. */
export async function evictOne(write: Write, ref: Ref, dependencies: EvictDependencies): Promise<object> {
  const { exchange, call, strictness } = write;
  const body = await readBody(exchange.request);
  const { object, warnings } = decodeBody(evictionBody, body, mediaType(exchange.request), strictness);
  for (const sentence of warnings) call.warn?.(sentence);
  const { metadata, deleteOptions = {} } = object;
  if (metadata?.name && metadata.name !== ref.name) {
    throw badRequest('name in URL does not match name in Eviction object');
  }
  const isStopFirst = metadata?.annotations?.[annotations.evict] === stopFirst;
  await evictPod(dependencies, dryIf(call, deleteOptions), ref, deleteOptions, isStopFirst);
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 };
}
