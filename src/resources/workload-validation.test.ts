import { deployments, replicaSets } from './kinds.ts';
import {
  container,
  labelText,
  notNegative,
  percent,
  rolling,
  selecting,
  template,
  testCases,
  workload,
} from './validation-cases.ts';

testCases(
  {
    deployments: [
      deployments,
      [
        [workload({ replicas: -1 }), `spec.replicas: Invalid value: -1: ${notNegative}`],
        [workload({ minReadySeconds: -1 }), `spec.minReadySeconds: Invalid value: -1: ${notNegative}`],
        [workload({ revisionHistoryLimit: -1 }), `spec.revisionHistoryLimit: Invalid value: -1: ${notNegative}`],
        [
          workload({ progressDeadlineSeconds: 7, minReadySeconds: 7 }),
          'spec.progressDeadlineSeconds: Invalid value: 7: must be greater than minReadySeconds',
        ],
        [workload({ selector: undefined }), 'spec.selector: Required value'],
        [workload({ selector: {} }), 'spec.selector: Invalid value: {}: empty selector is invalid for deployment'],
        [
          workload({ selector: { matchLabels: { a: 'c' } } }),
          'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ],
        [
          workload({ template: { spec: { containers: [container] } } }),
          'spec.template.metadata.labels: Invalid value: {}: `selector` does not match template `labels`',
        ],
        [
          workload({ template: { ...template, spec: { containers: [container], restartPolicy: 'OnFailure' } } }),
          'spec.template.spec.restartPolicy: Unsupported value: "OnFailure": supported values: "Always"',
        ],
        [
          selecting({ key: 'a', operator: 'In' }),
          "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
          'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`',
        ],
        [
          selecting({ key: 'a', operator: 'Exists', values: ['x'] }),
          "spec.selector.matchExpressions[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ],
        [
          workload({ strategy: { type: 'Recreate', rollingUpdate: { maxSurge: 1 } } }),
          "spec.strategy.rollingUpdate: Forbidden: may not be specified when strategy `type` is 'Recreate'",
        ],
        [
          workload({ strategy: { type: 'Blue' } }),
          'spec.strategy.type: Unsupported value: "Blue": supported values: "Recreate", "RollingUpdate"',
        ],
        [rolling({ maxSurge: -1 }), `spec.strategy.rollingUpdate.maxSurge: Invalid value: -1: ${notNegative}`],
        [rolling({ maxSurge: '1.5%' }), `spec.strategy.rollingUpdate.maxSurge: Invalid value: "1.5%": ${percent}`],
        [
          rolling({ maxUnavailable: 'x' }),
          `spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "x": ${percent}`,
        ],
        [
          rolling({ maxUnavailable: '101%' }),
          'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "101%": must not be greater than 100%',
        ],
        [
          rolling({ maxUnavailable: '0%', maxSurge: 0 }),
          'spec.strategy.rollingUpdate.maxUnavailable: Invalid value: "0%": may not be 0 when `maxSurge` is 0',
        ],
        [
          workload({ template: { ...template, spec: { containers: [{ name: 'c' }] } } }),
          'spec.template.spec.containers[0].image: Required value',
        ],
        [
          workload({ template: { metadata: { labels: { a: 'b', c: 'd e' } }, spec: template.spec } }),
          `spec.template.metadata.labels: Invalid value: "d e": ${labelText}`,
        ],
      ],
    ],
    replicasets: [
      replicaSets,
      [
        [workload({ selector: {} }), 'spec.selector: Invalid value: {}: empty selector is invalid for ReplicaSet'],
        [
          selecting({ key: 'a', operator: 'Is', values: ['b'] }),
          'spec.selector.matchExpressions[0].operator: Invalid value: "Is": not a valid selector operator',
          'spec.selector: Invalid value: {"matchLabels":{"a":"b"},"matchExpressions":[{"key":"a","operator":"Is","values":["b"]}]}: invalid label selector',
        ],
        [
          selecting({ key: 'a', operator: 'NotIn', values: ['x y'] }),
          `spec.selector.matchExpressions[0].values[0]: Invalid value: "x y": ${labelText}`,
        ],
      ],
    ],
  },
  20,
);
