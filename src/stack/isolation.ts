import { apiVersionOf } from '../resources/kind.ts';
import { type NetworkPolicy, networkPolicies, type Stack } from '../resources/kinds.ts';
import { annotations, labels } from '../resources/names.ts';
import type { StackPort } from '../resources/stack-types.ts';
import { objectName } from './object-names.ts';

/**
 * `isolate: true`: who may connect to the pods of a stack. Those of the same stack, and the hosts, which balance and probe;
 * and everybody to what is published. A policy for the stack, and one a service that publishes something.
 */
export function isolationPolicies(
  stack: Stack,
  selectorOf: (service: string) => Record<string, string>,
): NetworkPolicy[] {
  if (!stack.spec.isolate) return [];
  const { name } = stack.metadata;
  const identity = { apiVersion: apiVersionOf(networkPolicies), kind: networkPolicies.kind };
  const ownPods = { matchLabels: { [labels.stack]: name } };
  const ofStack: NetworkPolicy = {
    ...identity,
    metadata: { name: objectName(name), annotations: { [annotations.fromHosts]: 'true' } },
    spec: { podSelector: ownPods, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: ownPods }] }] },
  };
  const ofServices = Object.entries(stack.spec.services)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([service, { ports = [] }]): NetworkPolicy[] => {
      const open = publishedPorts(ports);
      if (open.length === 0) return [];
      const selector = selectorOf(service);
      const spec = { podSelector: { matchLabels: selector }, policyTypes: ['Ingress'], ingress: [{ ports: open }] };
      return [{ ...identity, metadata: { name: objectName(`${name}-${service}`), labels: selector }, spec }];
    });
  return [ofStack, ...ofServices];
}

/** Of the containers. What is published for the host alone is reached from the host anyway. */
function publishedPorts(ports: readonly StackPort[]): { port: number; protocol: string }[] {
  const open = ports.filter(({ hostIP }) => !hostIP?.startsWith('127.') && hostIP !== '::1');
  const unique = new Map(
    open.map(({ containerPort, protocol }) => [`${containerPort}/${protocol}`, { port: containerPort, protocol }]),
  );
  return [...unique.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}
