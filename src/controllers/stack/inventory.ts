import { apiVersionOf, type Kind } from '../../resources/kind.ts';
import type { ApiObject } from '../../resources/object.ts';

/** An object with its kind. */
export interface Observed {
  readonly kind: Kind;
  readonly object: ApiObject;
}

/** `<Kind>.<group>/<name>`; the core group is empty. */
export function inventoryEntry({ kind, object }: Observed): string {
  const group = apiVersionOf(kind).includes('/') ? `.${kind.group}` : '';
  return `${kind.kind}${group}/${object.metadata.name}`;
}
