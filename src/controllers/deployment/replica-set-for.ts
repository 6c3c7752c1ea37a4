import type { PodTemplateSpec } from 'kubernetes-types/core/v1.js';
import { apiVersionOf } from '../../resources/kind.ts';
import { type Deployment, deployments, type ReplicaSet, replicaSets } from '../../resources/kinds.ts';
import { labels } from '../../resources/names.ts';
import { controllerRef } from '../owners.ts';
import { shortHash } from '../pod-name.ts';
import { stableText } from '../same.ts';
import { inherited } from './revisions.ts';
import { sizeAnnotations } from './rolling.ts';

/** The template without the label that its ReplicaSet adds, as comparable text. */
export function templateText(template: PodTemplateSpec | undefined): string {
  const { [labels.podTemplateHash]: _hash, ...others } = template?.metadata?.labels ?? {};
  return stableText({ ...template, metadata: { ...template?.metadata, labels: others, creationTimestamp: undefined } });
}

/** The set that already runs the deployment's template; the oldest when there are several. */
export function newestSet(deployment: Deployment, owned: readonly ReplicaSet[]): ReplicaSet | undefined {
  const wanted = templateText(deployment.spec.template);
  return [...owned].sort(byAge).find((one) => templateText(one.spec.template) === wanted);
}

export function byAge(a: ReplicaSet, b: ReplicaSet): number {
  const [ofA, ofB] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (ofA !== ofB) return ofA < ofB ? -1 : 1;
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

/** The set to make for the deployment's template; its name follows from the template. */
export function replicaSetFor(deployment: Deployment, replicas: number, revision: bigint | number): ReplicaSet {
  const { spec } = deployment;
  const hash = shortHash(`${templateText(spec.template)}/${deployment.status?.collisionCount ?? 0}`, 10);
  const template = structuredClone(spec.template);
  const podLabels = { ...template.metadata?.labels, [labels.podTemplateHash]: hash };
  return {
    apiVersion: apiVersionOf(replicaSets),
    kind: replicaSets.kind,
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      ...(deployment.metadata.namespace ? { namespace: deployment.metadata.namespace } : {}),
      labels: podLabels,
      annotations: { ...inherited(deployment, revision), ...sizeAnnotations(deployment) },
      ownerReferences: [controllerRef(deployments, deployment)],
    },
    spec: {
      replicas,
      ...(spec.minReadySeconds === undefined ? {} : { minReadySeconds: spec.minReadySeconds }),
      selector: { ...spec.selector, matchLabels: { ...spec.selector.matchLabels, [labels.podTemplateHash]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels: podLabels } },
    },
  };
}
