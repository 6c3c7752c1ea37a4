import type { PodSpec } from 'kubernetes-types/core/v1.js';
import type { JsonObject } from './schema.ts';

/** What Kubernetes fills in for pods, and not for the templates that pods are made from. */
export function podDefaults(pod: JsonObject): void {
  const spec = pod.spec as PodSpec | undefined;
  if (!spec) return;
  spec.enableServiceLinks ??= true;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    const { limits } = container.resources ?? {};
    for (const [name, quantity] of Object.entries(limits ?? {})) {
      container.resources = { ...container.resources };
      container.resources.requests = { [name]: quantity, ...container.resources.requests };
    }
    if (!spec.hostNetwork) continue;
    for (const port of container.ports ?? []) port.hostPort ||= port.containerPort;
  }
}
