import { isIPv4 } from 'node:net';
import type { IngressEndpoint } from '../../adapters/ingress/port.ts';
import type { TargetPort } from '../../resources/ingress-backend.ts';
import type { EndpointSlice } from '../../resources/kinds.ts';

/** Of the slices of one service: those that are ready, each once, in an order that does not depend on the slices. */
export function endpointsOf(slices: Iterable<EndpointSlice>, target: TargetPort): readonly IngressEndpoint[] {
  const found = new Map<string, IngressEndpoint>();
  for (const slice of slices) {
    if (slice.addressType !== 'IPv4') continue;
    const port = 'number' in target ? target.number : portOf(slice, target.portName);
    if (port === undefined) continue;
    for (const { addresses, conditions, targetRef } of slice.endpoints ?? []) {
      const [address = ''] = addresses;
      if (!(conditions?.ready ?? true) || !isIPv4(address)) continue;
      const pod = targetRef?.kind === 'Pod' && targetRef.name ? targetRef : undefined;
      found.set(`${address}:${port}`, {
        ...{ address, port },
        ...(pod ? { pod: `${pod.namespace ?? slice.metadata.namespace ?? ''}/${pod.name}` } : {}),
      });
    }
  }
  return [...found.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, one]) => one);
}

function portOf({ ports = [] }: EndpointSlice, name: string): number | undefined {
  return ports.find((one) => (one.name ?? '') === name && (one.protocol ?? 'TCP') === 'TCP')?.port;
}
