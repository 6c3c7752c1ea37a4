import { ApiError } from '../../resources/api-error.ts';
import { type Decodable, type Decoded, decodeValue, type Strictness } from '../../resources/decode.ts';
import { invalid } from '../../resources/field-errors.ts';
import { applyJsonPatch } from '../../resources/json-patch.ts';
import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import { applyMergePatch } from '../../resources/merge-patch.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { JsonObject } from '../../resources/schema.ts';
import { applyStrategicMerge } from '../../resources/strategic-merge.ts';

export interface PatchBody {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly body: unknown;
  /** What is wrong with its text: keys that stand twice. */
  readonly problems?: readonly string[];
}

/** The patched object, decoded anew: what a patch brings in is checked like a whole body. Throws ApiError 422. */
export function patchObject(
  kind: Kind,
  old: ApiObject,
  patch: PatchBody,
  strictness: Strictness,
  warn: ((sentence: string) => void) | undefined,
): ApiObject {
  const { object, warnings } = decodePatched<ApiObject>(kind, patchValue(kind, old, patch), patch, strictness);
  if (strictness === 'Strict' && warnings.length > 0) {
    throw invalidPatch(patch, `strict decoding error: ${warnings.join(', ')}`);
  }
  for (const sentence of warnings) warn?.(sentence);
  return object;
}

function decodePatched<T>(
  decodable: Decodable & { readonly type?: T },
  value: unknown,
  { problems = [], ...patch }: PatchBody,
  strictness: Strictness,
): Decoded<T> {
  const tolerant = strictness === 'Strict' ? 'Warn' : strictness;
  try {
    return decodeValue<T>(decodable, value, { strictness: tolerant, problems });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status.code !== 400) throw error;
    const [, why = error.message] = error.message.split(/cannot be handled as an? \S+: /);
    throw invalidPatch(patch, why);
  }
}

/** With the patch, and not with the object that it was for: who patches need not be allowed to read. */
function invalidPatch({ body }: PatchBody, why: string): ApiError {
  const error = invalid('patch', JSON.stringify(body), why);
  return new ApiError({
    code: 422,
    reason: 'Invalid',
    message: ` "" is invalid: patch: ${error.message}`,
    details: { causes: [error] },
  });
}

/** The patched value as it is. */
export function patchValue(kind: Kind, old: object, { type, body }: PatchBody): unknown {
  if (type === 'json') return applyJsonPatch(old, body);
  if (type === 'merge') return applyMergePatch(old, body);
  if (!kind.hasStrategicMerge) {
    throw new ApiError({
      code: 415,
      reason: 'UnsupportedMediaType',
      message: `application/strategic-merge-patch+json is not supported by ${resourceNameOf(kind)}: the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json`,
    });
  }
  return applyStrategicMerge(kind, old as JsonObject, body);
}
