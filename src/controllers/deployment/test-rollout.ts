import type { Deployment, ReplicaSet } from '../../resources/kinds.ts';
import { sampleDeployment, sampleNowMs } from '../sample-objects.ts';
import { type DeploymentPlan, type DeploymentStep, planDeployment } from './plan.ts';
import { rolledBackDeployment } from './rolled-back-deployment.ts';

/** Serves when it is asked to, by image. */
export type Luck = (image: string) => number;

export function imageOf(set: ReplicaSet): string {
  return set.spec.template?.spec?.containers[0]?.image ?? '';
}

/** A Deployment, its sets and their pods as numbers: what plans come to when they are carried out and time passes. */
export class Rollout {
  deployment: Deployment;
  sets: ReplicaSet[] = [];
  nowMs = sampleNowMs;
  /** Of the last round. */
  steps: readonly DeploymentStep[] = [];
  /** All rollbacks, `web:2 → web:1`. */
  readonly rollbacks: string[] = [];

  constructor(deployment: Deployment) {
    this.deployment = deployment;
  }

  /** Another template, as a user would write it; annotations are added. */
  deploy(image: string, own: Record<string, string> = {}): void {
    const { template } = sampleDeployment({}, image).spec;
    const { metadata, spec } = this.deployment;
    const generation = (metadata.generation ?? 1) + 1;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, generation, annotations: { ...metadata.annotations, ...own } },
      spec: { ...spec, template },
    };
  }

  annotate(own: Record<string, string>): void {
    const { metadata } = this.deployment;
    this.deployment = {
      ...this.deployment,
      metadata: { ...metadata, annotations: { ...metadata.annotations, ...own } },
    };
  }

  get total(): number {
    return this.sets.reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
  }

  get available(): number {
    return this.sets.reduce((sum, set) => sum + (set.status?.availableReplicas ?? 0), 0);
  }

  sizeOf(image: string): number {
    return this.sets.filter((set) => imageOf(set) === image).reduce((sum, set) => sum + (set.spec.replicas ?? 0), 0);
  }

  setOf(image: string): ReplicaSet | undefined {
    return this.sets.find((set) => imageOf(set) === image);
  }

  condition(type: string) {
    return this.deployment.status?.conditions?.find((one) => one.type === type);
  }

  /** One reconcile, carried out; then so many pods of each image become available, and time passes. */
  round(luck: Luck, passMs = 1_000): DeploymentPlan {
    const plan = planDeployment({
      deployment: this.deployment,
      owned: this.sets,
      podsOf: () => [],
      nowMs: this.nowMs,
    });
    this.deployment = { ...this.deployment, status: plan.status };
    this.steps = plan.steps;
    for (const step of plan.steps) this.#apply(step);
    this.sets = this.sets.map((set) => {
      const size = set.spec.replicas ?? 0;
      const available = Math.min(size, (set.status?.availableReplicas ?? 0) + luck(imageOf(set)));
      return { ...set, status: { replicas: size, readyReplicas: available, availableReplicas: available } };
    });
    this.nowMs += passMs;
    return plan;
  }

  #apply(step: DeploymentStep): void {
    switch (step.type) {
      case 'createReplicaSet': {
        const { metadata } = step.replicaSet;
        const creationTimestamp = new Date(this.nowMs).toISOString();
        this.sets.push({ ...step.replicaSet, metadata: { ...metadata, uid: metadata.name, creationTimestamp } });
        return;
      }
      case 'changeReplicaSet':
        this.sets = this.sets.map((set) => {
          if (set.metadata.name !== step.replicaSet.metadata.name) return set;
          const own = { ...set.metadata.annotations, ...step.change.annotations };
          const replicas = step.change.replicas ?? set.spec.replicas ?? 0;
          return { ...set, metadata: { ...set.metadata, annotations: own }, spec: { ...set.spec, replicas } };
        });
        return;
      case 'deleteReplicaSet':
        this.sets = this.sets.filter((set) => set.metadata.name !== step.replicaSet.metadata.name);
        return;
      case 'annotateDeployment':
        this.annotate({ 'deployment.kubernetes.io/revision': String(step.revision) });
        return;
      case 'forgetAnnotations': {
        const { metadata } = this.deployment;
        const kept = Object.entries(metadata.annotations ?? {}).filter(([key]) => !step.keys.includes(key));
        this.deployment = { ...this.deployment, metadata: { ...metadata, annotations: Object.fromEntries(kept) } };
        return;
      }
      case 'rollBack': {
        this.rollbacks.push(`${imageOf(step.from)} → ${imageOf(step.to)}`);
        const words = { why: 'instance web-1 runs and is not ready', lines: ['no database'] };
        this.deployment = rolledBackDeployment(this.deployment, step, words).written;
      }
    }
  }
}
