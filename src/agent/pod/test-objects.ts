import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import type { ContainerObservation, ContainerState } from '../../adapters/runtime/port.ts';
import type { Pod } from '../../resources/kinds.ts';
import { hostLabels } from '../../resources/names.ts';
import type { Meta } from '../../resources/object.ts';

/** Objects for tests, with only what matters given. */
export function podOf(
  container: Partial<Container> = {},
  meta: Partial<Meta> = {},
  spec: Partial<PodSpec> = {},
  phase?: string,
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web-1', namespace: 'shop', uid: 'uid-1', ...meta },
    spec: { nodeName: 'h1', ...spec, containers: [{ name: 'web', image: 'acme/web:1', ...container }] },
    ...(phase ? { status: { phase } } : {}),
  };
}

export function containerOf(
  attempt: number,
  state: ContainerState,
  more: Partial<ContainerObservation> = {},
): ContainerObservation {
  return {
    id: `c${attempt}`,
    name: `fl_shop_web-1_web_uid-1_${attempt}`,
    labels: { [hostLabels.podUid]: 'uid-1', [hostLabels.container]: 'web', [hostLabels.attempt]: String(attempt) },
    image: 'acme/web:1',
    imageId: 'sha256:1',
    state,
    wasOomKilled: false,
    createdAt: '2026-01-01T00:00:00Z',
    ...(state === 'created' ? {} : { startedAt: '2026-01-01T00:00:01.5Z' }),
    ...(state === 'exited' || state === 'dead' ? { finishedAt: '2026-01-01T00:00:02Z', exitCode: 1 } : {}),
    addresses: [],
    hostPorts: [],
    ...more,
  };
}
