import type { Node } from './kinds.ts';
import { labels } from './names.ts';

/** It runs a proxy that lets traffic in. */
export function isIngressNode(node: Node | undefined): boolean {
  return isIngressLabel(node?.metadata.labels?.[labels.ingress]);
}

/** Any value but `false` says so. */
export function isIngressLabel(value: string | undefined): boolean {
  return value !== undefined && value !== 'false';
}
