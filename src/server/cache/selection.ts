import { matchesFields, parseFieldSelector } from '../../resources/field-selectors.ts';
import type { Kind } from '../../resources/kind.ts';
import { matchesLabels, parseLabelSelector } from '../../resources/selectors.ts';
import type { Selection } from './kind-cache.ts';

export interface SelectorTexts {
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | null | undefined;
  readonly fieldSelector?: string | null | undefined;
}

/** Throws ApiError 400 for selectors that cannot be read, or fields that the kind is not selected by. */
export function selectionOf(kind: Kind, texts: SelectorTexts): Selection {
  const labels = parseLabelSelector(texts.labelSelector ?? '');
  const fields = parseFieldSelector(kind, texts.fieldSelector ?? '');
  const byNamespace = fields.find((one) => one.field === 'metadata.namespace' && one.isEqual)?.value;
  const byNode = fields.find((one) => one.field === 'spec.nodeName' && one.isEqual)?.value;
  const namespace = texts.namespace || byNamespace;
  return {
    ...(namespace ? { namespace } : {}),
    // The index holds only pods that have a node.
    ...(kind.plural === 'pods' && byNode ? { nodeName: byNode } : {}),
    ...(labels.length === 0 && fields.length === 0
      ? {}
      : {
          matches: ({ object }) => matchesFields(fields, object) && matchesLabels(labels, object.metadata.labels),
        }),
  };
}
