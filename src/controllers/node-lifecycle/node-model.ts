import type { NodeCondition } from 'kubernetes-types/core/v1.js';
import { formatTime } from '../../resources/conditions.ts';
import type { Node, Pod } from '../../resources/kinds.ts';
import { podConditions } from '../../resources/names.ts';
import { sampleNowMs } from '../sample-objects.ts';
import type { NodeLifecycleStep } from './plan.ts';

/** A node and its pods as the API would have them after steps were done; for tests of plans. */
export interface Model {
  readonly node: Node;
  readonly pods: readonly Pod[];
}

export function applyPlan(model: Model, steps: readonly NodeLifecycleStep[]): Model {
  return steps.reduce(applyStep, model);
}

function applyStep(model: Model, step: NodeLifecycleStep): Model {
  const { node, pods } = model;
  switch (step.type) {
    case 'mark': {
      const kept = Object.entries({ ...node.metadata.annotations, ...step.annotations });
      const annotations = Object.fromEntries(kept.flatMap(([key, value]) => (value === null ? [] : [[key, value]])));
      const metadata = { ...node.metadata, annotations };
      return { ...model, node: { ...node, metadata, spec: { ...node.spec, taints: [...step.taints] } } };
    }
    case 'setCondition': {
      const others = (node.status?.conditions ?? []).filter((one) => one.type !== step.condition.type);
      const conditions: NodeCondition[] = [...others, { ...step.condition }];
      return { ...model, node: { ...node, status: { ...node.status, conditions } } };
    }
    case 'deletePod':
      return { ...model, pods: pods.filter((one) => one !== step.pod) };
    case 'loseNodeOf':
    case 'countAgain': {
      const status = step.type === 'loseNodeOf' ? 'True' : 'False';
      const condition = { type: podConditions.nodeLost, status, lastTransitionTime: formatTime(sampleNowMs) };
      const isChanged = (pod: Pod) => pod.metadata.name === step.pod.metadata.name;
      return { ...model, pods: pods.map((pod) => (isChanged(pod) ? withCondition(pod, condition) : pod)) };
    }
  }
}

function withCondition(pod: Pod, condition: { type: string; status: string; lastTransitionTime: string }): Pod {
  const others = (pod.status?.conditions ?? []).filter((one) => one.type !== condition.type);
  return { ...pod, status: { ...pod.status, conditions: [...others, condition] } };
}
