import type { Deployment, ReplicaSet } from './kinds.ts';
import type { Meta } from './object.ts';
import { renderLabelSelector } from './selectors.ts';

/** What `…/scale` of everything that has replicas looks like (`autoscaling/v1`). */
export interface Scale {
  apiVersion: 'autoscaling/v1';
  kind: 'Scale';
  metadata: Meta;
  spec: { replicas?: number };
  status: { replicas: number; selector?: string };
}

export function scaleOf(object: Deployment | ReplicaSet): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    apiVersion: 'autoscaling/v1',
    kind: 'Scale',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec: { replicas: object.spec.replicas ?? 0 },
    status: { replicas: object.status?.replicas ?? 0, selector: renderLabelSelector(object.spec.selector) },
  };
}

/** The object with the number of replicas that a written Scale asks for (0 when it says nothing). */
export function withScale<T extends Deployment | ReplicaSet>(object: T, scale: Pick<Scale, 'spec'>): T {
  return { ...object, spec: { ...object.spec, replicas: scale.spec?.replicas ?? 0 } };
}
