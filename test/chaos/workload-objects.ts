import type { Deployment, Service, Stack } from '../../src/resources/kinds.ts';

export const namespace = 'default';

/** The Stack's service that keeps a file in a named volume, and the volume. */
export const keeper = { service: 'keeper', volume: 'kept', file: 'first' };

const sleep = 'trap "exit 0" TERM; while :; do sleep 1; done';

export function sleeper(name: string, replicas: number): Deployment {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { namespace, name },
    spec: {
      replicas,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          terminationGracePeriodSeconds: 1,
          containers: [{ name: 'main', image: 'busybox', command: ['sh', '-c', sleep] }],
        },
      },
    },
  };
}

export function serviceFor(name: string): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  };
}

/** A front of many, and one that keeps what it wrote at its first start. */
export function shop(name: string, fronts: number): Stack {
  const write = `[ -s /data/${keeper.file} ] || cat /proc/sys/kernel/random/uuid > /data/${keeper.file}`;
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { namespace, name },
    spec: {
      services: {
        front: {
          image: 'busybox',
          instances: fronts,
          entrypoint: ['sh', '-c', sleep],
          ports: [{ containerPort: 8080, protocol: 'TCP' }],
          stopGracePeriodSeconds: 1,
        },
        [keeper.service]: {
          image: 'busybox',
          instances: 1,
          entrypoint: ['sh', '-c', `${write}; ${sleep}`],
          mounts: [{ type: 'volume', source: keeper.volume, target: '/data' }],
          stopGracePeriodSeconds: 1,
        },
      },
      volumes: { [keeper.volume]: {} },
    },
  };
}
