import { formatTime } from '../resources/conditions.ts';
import type { Deployment, Node, Pod, ReplicaSet } from '../resources/kinds.ts';
import { podConditions } from '../resources/names.ts';

/** Objects for tests of plans: as the API would show them, with only what the test is about given. */

export const sampleNowMs = Date.UTC(2026, 0, 1, 12);

export interface SamplePod {
  readonly name: string;
  readonly ownerUid?: string;
  readonly nodeName?: string;
  readonly isReady?: boolean;
  readonly isLost?: boolean;
  /** Was lost, and counts again. */
  readonly isReturned?: boolean;
  readonly isTerminating?: boolean;
  /** It was asked to go when another one does its work. */
  readonly isLeaving?: boolean;
  /** The scheduler has tried and found no node. */
  readonly isUnschedulable?: boolean;
  readonly phase?: string;
  readonly ageSeconds?: number;
  readonly labels?: Record<string, string>;
}

export function samplePod(given: SamplePod): Pod {
  const { name, ownerUid, nodeName, ageSeconds = 3600 } = given;
  const time = at(ageSeconds);
  const conditions = [
    ...(given.isReady === undefined
      ? []
      : [{ type: 'Ready', status: given.isReady ? 'True' : 'False', lastTransitionTime: time }]),
    ...(given.isUnschedulable ? [{ type: 'PodScheduled', status: 'False', lastTransitionTime: time }] : []),
    ...(given.isLost || given.isReturned
      ? [{ type: podConditions.nodeLost, status: given.isLost ? 'True' : 'False', lastTransitionTime: time }]
      : []),
    ...(given.isLeaving ? [{ type: podConditions.leaving, status: 'True', lastTransitionTime: at(0) }] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'shop',
      uid: `uid-${name}`,
      resourceVersion: '1',
      creationTimestamp: time,
      labels: given.labels ?? { app: 'web' },
      ...(given.isTerminating ? { deletionTimestamp: at(0) } : {}),
      ...(ownerUid
        ? {
            ownerReferences: [
              { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: ownerUid, controller: true },
            ],
          }
        : {}),
    },
    spec: { containers: [{ name: 'web', image: 'web' }], ...(nodeName ? { nodeName } : {}) },
    status: { phase: given.phase ?? (given.isReady ? 'Running' : 'Pending'), conditions },
  };
}

export function sampleReplicaSet(replicas: number, given: Partial<ReplicaSet['spec']> = {}): ReplicaSet {
  return {
    apiVersion: 'apps/v1',
    kind: 'ReplicaSet',
    metadata: { name: 'web', namespace: 'shop', uid: 'rs-1', generation: 3, creationTimestamp: at(3600) },
    spec: {
      replicas,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image: 'web' }] } },
      ...given,
    },
  };
}

export function sampleDeployment(given: Partial<Deployment['spec']> = {}, image = 'web:1'): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web', namespace: 'shop', uid: 'dep-1', generation: 1 },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: { metadata: { labels: { app: 'web' } }, spec: { containers: [{ name: 'web', image }] } },
      ...given,
    },
  };
}

export function sampleNode(
  name: string,
  given: { readonly ready?: string; readonly podCIDR?: string; readonly ageSeconds?: number } = {},
): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: at(given.ageSeconds ?? 3600) },
    spec: given.podCIDR ? { podCIDRs: [given.podCIDR] } : {},
    status: { conditions: given.ready ? [{ type: 'Ready', status: given.ready }] : [] },
  };
}

function at(ageSeconds: number): string {
  return formatTime(sampleNowMs - ageSeconds * 1000);
}
