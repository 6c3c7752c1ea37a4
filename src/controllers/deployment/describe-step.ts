import type { DeploymentStep } from './plan.ts';
import { replicasOf } from './rolling.ts';

/** The sentence of the event ScalingReplicaSet; undefined for steps that change no number of pods. */
export function describeScaling(step: DeploymentStep): string | undefined {
  if (step.type === 'createReplicaSet') {
    const replicas = replicasOf(step.replicaSet);
    return replicas > 0 ? `Scaled up replica set ${step.replicaSet.metadata.name} from 0 to ${replicas}` : undefined;
  }
  if (step.type !== 'changeReplicaSet' || step.change.replicas === undefined) return undefined;
  const { replicaSet, change } = step;
  const direction = change.replicas! > replicasOf(replicaSet) ? 'up' : 'down';
  const name = replicaSet.metadata.name;
  return `Scaled ${direction} replica set ${name} from ${replicasOf(replicaSet)} to ${change.replicas}`;
}
