import { ApiError } from '../../resources/api-error.ts';
import { decodeValue, type Strictness } from '../../resources/decode.ts';
import { applyJsonPatch } from '../../resources/json-patch.ts';
import { type Kind, resourceNameOf } from '../../resources/kind.ts';
import { applyMergePatch } from '../../resources/merge-patch.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { JsonObject } from '../../resources/schema.ts';
import { applyStrategicMerge } from '../../resources/strategic-merge.ts';

export interface PatchBody {
  readonly type: 'json' | 'merge' | 'strategic';
  readonly body: unknown;
}

/** The patched object, decoded anew: what a patch brings in is checked like a whole body. */
export function patchObject(
  kind: Kind,
  old: ApiObject,
  patch: PatchBody,
  strictness: Strictness,
  warn: ((sentence: string) => void) | undefined,
): ApiObject {
  const { object, warnings } = decodeValue<ApiObject>(kind, patchValue(kind, old, patch), { strictness });
  for (const sentence of warnings) warn?.(sentence);
  return object;
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
