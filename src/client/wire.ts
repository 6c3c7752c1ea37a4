// The API's JSON forms, in and out.
import { FlotillaError } from '../lib/errors.ts';
import type { ApiObject } from '../resources/object.ts';
import { ApiError } from './api-error.ts';
import type { DeleteOptions, WatchEvent } from './client.ts';
import type { HttpAnswer } from './http-request.ts';
import { readBody } from './read-lines.ts';

export interface WireList<T> {
  readonly metadata: { readonly resourceVersion?: string };
  readonly items: T[] | null;
}

export function deleteBodyOf(options: DeleteOptions): unknown {
  const { gracePeriodSeconds, propagationPolicy, uid, resourceVersion } = options;
  const hasConditions = uid !== undefined || resourceVersion !== undefined;
  // JSON leaves out what is undefined.
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    gracePeriodSeconds,
    propagationPolicy,
    ...(hasConditions ? { preconditions: { uid, resourceVersion } } : {}),
  };
}

export function watchEventOf<T extends ApiObject>(event: { type: string; object: unknown }): WatchEvent<T> {
  switch (event.type) {
    case 'ADDED':
    case 'MODIFIED':
    case 'DELETED':
      return { type: event.type, object: event.object as T };
    case 'BOOKMARK':
      return { type: 'BOOKMARK', resourceVersion: (event.object as T).metadata.resourceVersion ?? '' };
    case 'ERROR':
      throw new ApiError(event.object as ApiError['status']);
    default:
      throw new FlotillaError('ProtocolMismatch', `watch: unknown event type "${event.type}"`);
  }
}

export async function failureOf(answer: HttpAnswer, what: string): Promise<Error> {
  const text = await readBody(answer.body, 1 << 20);
  try {
    const status: unknown = JSON.parse(text);
    if (isStatus(status)) return new ApiError(status);
  } catch {
    // Not the API that answered: its words go into the message.
  }
  const words = text.trim().slice(0, 200);
  const message = `${what}: unexpected answer ${answer.status}${words === '' ? '' : `: ${words}`}`;
  return new FlotillaError('Unavailable', message, { retryable: answer.status >= 500 });
}

function isStatus(value: unknown): value is ApiError['status'] {
  return typeof value === 'object' && value !== null && 'code' in value && 'message' in value && 'reason' in value;
}

export function parseJson<T>(text: string, path: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new FlotillaError('ProtocolMismatch', `${path.split('?')[0]}: the answer is no JSON`, { cause });
  }
}
