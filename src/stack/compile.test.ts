import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeValue } from '../resources/decode.ts';
import { applyDefaults } from '../resources/defaults.ts';
import type { Kind } from '../resources/kind.ts';
import {
  type Deployment,
  type NetworkPolicy,
  type Pod,
  type Service,
  type Stack,
  services,
} from '../resources/kinds.ts';
import type { ApiObject } from '../resources/object.ts';
import type { StackService, StackSpec } from '../resources/stack-types.ts';
import { validate } from '../resources/validate.ts';
import { compileStack } from './compile.ts';

function stack(services: Record<string, Partial<StackService>>, more: Partial<StackSpec> = {}): Stack {
  const filled = Object.entries(services).map(([name, one]) => [name, { image: 'web:1', instances: 1, ...one }]);
  return {
    apiVersion: 'flotilla.dev/v1alpha1',
    kind: 'Stack',
    metadata: { name: 'shop', namespace: 'shop' },
    spec: { services: Object.fromEntries(filled), ...more },
  };
}

const all = (one: Stack) => {
  const { prerequisites, workloads } = compileStack(one);
  return [...prerequisites, ...workloads] as readonly { kind: Kind; object: ApiObject }[];
};
const find = <T extends ApiObject>(one: Stack, kind: string, name: string) =>
  all(one).find((each) => each.object.kind === kind && each.object.metadata.name === name)?.object as T | undefined;
const deploymentOf = (service: Partial<StackService>, more: Partial<StackSpec> = {}) =>
  find<Deployment>(stack({ web: service }, more), 'Deployment', 'web')!;
const containerOf = (service: Partial<StackService>, more: Partial<StackSpec> = {}) =>
  deploymentOf(service, more).spec.template.spec!.containers[0]!;
const hashOf = (object: ApiObject | undefined) => object?.metadata.annotations?.['flotilla.dev/applied-hash'];

describe('compiled stack', () => {
  it('isolated: its own pods, the hosts, and everybody to published ports; nothing of it without the key', () => {
    const port = (containerPort: number, more = {}) => ({ containerPort, protocol: 'TCP' as const, ...more });
    const services = {
      web: {
        ports: [port(8080, { hostPort: 80 }), port(8080), port(53, { protocol: 'UDP' as const })],
        expose: [port(9000)].map((one) => ({ port: one.containerPort, protocol: one.protocol })),
      },
      db: { ports: [port(5432, { hostIP: '127.0.0.1' })] },
    };
    const policies = (one: Stack) => all(one).filter((each) => each.object.kind === 'NetworkPolicy');
    assert.deepEqual(policies(stack(services)), []);
    const isolated = stack(services, { isolate: true });
    assert.deepEqual(all(isolated).slice(0, 2), policies(isolated), 'before everything that they are about');
    const [whole, web, ...more] = policies(isolated).map((each) => each.object as NetworkPolicy);
    assert.deepEqual(more, [], 'what is published on the host alone is not for everybody');
    assert.equal(whole?.metadata.name, 'shop');
    assert.equal(whole?.metadata.annotations?.['flotilla.dev/from-hosts'], 'true');
    const ownPods = { matchLabels: { 'flotilla.dev/stack': 'shop' } };
    assert.deepEqual(whole?.spec, {
      podSelector: ownPods,
      policyTypes: ['Ingress'],
      ingress: [{ from: [{ podSelector: ownPods }] }],
    });
    assert.equal(web?.metadata.name, 'shop-web');
    assert.deepEqual(web?.spec.podSelector?.matchLabels, {
      'flotilla.dev/stack': 'shop',
      'flotilla.dev/service': 'web',
    });
    assert.deepEqual(web?.spec.ingress, [
      {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 8080, protocol: 'TCP' },
        ],
      },
    ]);
    for (const one of policies(isolated)) {
      assert.deepEqual(validate(one.kind, applyDefaults(one.kind, one.object)), []);
      assert.equal(one.object.metadata.labels?.['flotilla.dev/stack'], 'shop');
    }
  });

  it('tells each pod after how long a silence of its node it is replaced, if the file does', () => {
    const own = deploymentOf({ failover: { after: '5s' } }).spec.template.metadata?.annotations;
    assert.equal(own?.['flotilla.dev/failover-after'], '5s');
    const patient = deploymentOf({ replaceUnhealthyAfter: 'never' }).spec.template.metadata?.annotations;
    assert.equal(patient?.['flotilla.dev/replace-unhealthy-after'], 'never');
    assert.equal(deploymentOf({}).spec.template.metadata?.annotations?.['flotilla.dev/failover-after'], undefined);
  });

  it('has a Deployment and a Service object for each service, found by the same labels', () => {
    const one = stack({ web: { instances: 3 } });
    const selector = { 'flotilla.dev/stack': 'shop', 'flotilla.dev/service': 'web' };
    const deployment = find<Deployment>(one, 'Deployment', 'web');
    assert.equal(deployment?.spec.replicas, 3);
    assert.deepEqual(deployment?.spec.selector.matchLabels, selector);
    assert.deepEqual(deployment?.spec.template.metadata?.labels, selector);
    assert.deepEqual(find<Service>(one, 'Service', 'web')?.spec.selector, selector);
  });

  it('tells the further names of a service to those who answer names', () => {
    const aliasesOf = (service: Partial<StackService>) =>
      find<Service>(stack({ web: service }), 'Service', 'web')?.metadata.annotations?.['flotilla.dev/aliases'];
    assert.equal(aliasesOf({ aliases: ['old', 'front', 'web', 'old'] }), 'front,old');
    assert.equal(aliasesOf({ aliases: ['web'] }), undefined);
    assert.equal(aliasesOf({}), undefined);
  });

  it('has services with an address for all ports, or with those of their instances', () => {
    const specs = (service: Partial<StackService>) => {
      const { metadata, spec } = find<Service>(stack({ web: service }), 'Service', 'web')!;
      return [metadata.annotations?.['flotilla.dev/all-ports'], spec.clusterIP];
    };
    assert.deepEqual(specs({}), ['true', undefined]);
    assert.deepEqual(specs({ endpointMode: 'vip' }), ['true', undefined]);
    assert.deepEqual(specs({ endpointMode: 'dnsrr' }), [undefined, 'None']);
    for (const service of [{}, { expose: [{ port: 80, protocol: 'TCP' as const }] }]) {
      const made = structuredClone(find<Service>(stack({ web: service }), 'Service', 'web'));
      const { object } = decodeValue<Service>(services, made, { strictness: 'Strict' });
      assert.deepEqual(validate(services, applyDefaults(services, object)), []);
    }
  });

  it('names of Compose become names of objects', () => {
    assert.ok(find(stack({ My_App: {} }), 'Deployment', 'my-app'));
  });

  it('ports: fixed, random and exposed', () => {
    const service: Partial<StackService> = {
      ports: [
        { containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'TCP' },
        { containerPort: 53, protocol: 'UDP' },
      ],
      expose: [
        { port: 80, protocol: 'TCP' },
        { port: 9000, protocol: 'TCP' },
      ],
    };
    assert.deepEqual(containerOf(service).ports, [
      { containerPort: 80, protocol: 'TCP', hostPort: 8080, hostIP: '127.0.0.1' },
      { containerPort: 53, protocol: 'UDP' },
      { containerPort: 9000, protocol: 'TCP' },
    ]);
    assert.equal(
      deploymentOf(service).spec.template.metadata?.annotations?.['flotilla.dev/random-host-ports'],
      '53/UDP',
    );
    const ports = find<Service>(stack({ web: service }), 'Service', 'web')?.spec.ports;
    assert.deepEqual(
      ports?.map((port) => port.name),
      ['udp-53', 'tcp-80', 'tcp-9000'],
    );
  });

  const strategies: [string, Partial<StackService>, unknown][] = [
    ['nothing shared', {}, { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } }],
    [
      'random host ports',
      { ports: [{ containerPort: 80, protocol: 'TCP' }] },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
    ],
    [
      'a fixed host port',
      { ports: [{ containerPort: 80, hostPort: 80, protocol: 'TCP' }] },
      { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
    ],
    ['a volume', { mounts: [{ type: 'volume', source: 'data', target: '/data' }] }, { type: 'Recreate' }],
  ];
  for (const [name, service, expected] of strategies) {
    it(`updates with ${name}`, () => assert.deepEqual(deploymentOf(service).spec.strategy, expected));
  }

  it('health check: readiness at once, liveness after the start period', () => {
    const healthcheck = { exec: ['true'], intervalSeconds: 5, timeoutSeconds: 3, retries: 4, startPeriodSeconds: 20 };
    const { readinessProbe, livenessProbe } = containerOf({ healthcheck });
    const common = {
      exec: { command: ['true'] },
      periodSeconds: 5,
      timeoutSeconds: 3,
      failureThreshold: 4,
      successThreshold: 1,
    };
    assert.deepEqual(readinessProbe, common);
    assert.deepEqual(livenessProbe, { ...common, initialDelaySeconds: 20 });
    const plain = containerOf({ healthcheck: { ...healthcheck, startPeriodSeconds: 0 } });
    assert.equal(plain.livenessProbe?.initialDelaySeconds, 5, 'first after one interval, as Docker does');
  });

  it('secrets and configs are mounted file by file', () => {
    const mounts: StackService['mounts'] = [
      { type: 'secret', source: 'key', target: '/run/secrets/key', mode: 0o400 },
      { type: 'config', source: 'nginx', target: '/etc/nginx/nginx.conf' },
    ];
    const more = { secrets: { key: { data: 'aGk=' } }, configs: { nginx: { data: 'eA==' } } };
    assert.deepEqual(containerOf({ mounts }, more).volumeMounts, [
      { name: 'secret-key-400', mountPath: '/run/secrets/key', subPath: 'key', readOnly: true },
      { name: 'config-nginx', mountPath: '/etc/nginx/nginx.conf', subPath: 'nginx', readOnly: true },
    ]);
    const volumes = deploymentOf({ mounts }, more).spec.template.spec?.volumes;
    assert.deepEqual(
      volumes?.map((one) => one.secret),
      [{ secretName: 'shop-key', defaultMode: 0o400 }, { secretName: 'shop-config-nginx' }],
    );
  });

  it('volumes, binds and tmpfs', () => {
    const mounts: StackService['mounts'] = [
      { type: 'volume', source: 'data', target: '/data' },
      { type: 'volume', source: 'shared', target: '/shared', readOnly: true },
      { type: 'bind', source: '/srv', target: '/srv' },
      { type: 'tmpfs', target: '/tmp', sizeBytes: 1 << 20 },
    ];
    const more = { volumes: { data: {}, shared: { external: 'photos' } } };
    assert.deepEqual(deploymentOf({ mounts }, more).spec.template.spec?.volumes, [
      { name: 'volume-data', persistentVolumeClaim: { claimName: 'shop-data' } },
      { name: 'volume-shared', persistentVolumeClaim: { claimName: 'photos' } },
      { name: 'bind-2', hostPath: { path: '/srv' } },
      { name: 'tmpfs-3', emptyDir: { medium: 'Memory', sizeLimit: '1Mi' } },
    ]);
    const made = all(stack({ web: { mounts } }, more)).filter((one) => one.object.kind === 'Volume');
    assert.deepEqual(
      made.map((one) => one.object.metadata.name),
      ['shop-data'],
    );
    assert.equal(made[0]?.object.metadata.ownerReferences, undefined);
  });

  it('a user by number is a security context, by name an annotation', () => {
    assert.deepEqual(containerOf({ user: '1000:50' }).securityContext, { runAsUser: 1000, runAsGroup: 50 });
    assert.equal(containerOf({ user: 'node' }).securityContext, undefined);
    assert.equal(deploymentOf({ user: 'node' }).spec.template.metadata?.annotations?.['flotilla.dev/user'], 'node');
  });

  it('an empty entrypoint is none, not that of the image', () => {
    assert.deepEqual(containerOf({ entrypoint: [], command: ['x'] }).command, ['']);
    assert.equal('command' in containerOf({ command: ['x'] }), false);
  });

  it('values are literal: nothing is expanded', () => {
    const { args, env } = containerOf({ command: ['echo', '$(date)'], environment: { A: '$(B)' } });
    assert.deepEqual(args, ['echo', '$$(date)']);
    assert.deepEqual(env, [{ name: 'A', value: '$$(B)' }]);
  });

  it('values of env files are only in the Secret, and new ones make new pods', () => {
    const before = deploymentOf({ secretEnvironment: { PASSWORD: 'hidden-value' } });
    assert.ok(!JSON.stringify(before).includes('hidden-value'));
    assert.notDeepEqual(before.spec.template, deploymentOf({ secretEnvironment: { PASSWORD: 'other' } }).spec.template);
  });

  it('a service that may end is a bare pod named after its template', () => {
    const of = (image: string, instances = 1) =>
      all(stack({ job: { restart: 'no', image, instances } })).filter((one) => one.object.kind === 'Pod');
    const [first] = of('job:1');
    assert.match(first?.object.metadata.name ?? '', /^job-[0-9a-f]{10}$/);
    assert.equal((first!.object as Pod).spec.restartPolicy, 'Never');
    assert.equal(of('job:1')[0]?.object.metadata.name, first?.object.metadata.name);
    assert.notEqual(of('job:2')[0]?.object.metadata.name, first?.object.metadata.name);
    assert.equal(of('job:1', 3).length, 3);
  });

  it('hashes change with what they stand for, and with nothing else', () => {
    const one = stack({ web: {}, db: {} });
    const other = stack({ db: { image: 'db:2' }, web: {} });
    assert.equal(hashOf(find(one, 'Deployment', 'web')), hashOf(find(other, 'Deployment', 'web')));
    assert.notEqual(hashOf(find(one, 'Deployment', 'db')), hashOf(find(other, 'Deployment', 'db')));
  });
});

const anyService: fc.Arbitrary<Partial<StackService>> = fc.record(
  {
    instances: fc.integer({ min: 0, max: 5 }),
    entrypoint: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
    command: fc.array(fc.string(), { minLength: 1, maxLength: 2 }),
    environment: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), fc.string(), { maxKeys: 3 }),
    secretEnvironment: fc.dictionary(fc.stringMatching(/^[A-Z_]{1,8}$/), fc.string(), { maxKeys: 2 }),
    ports: fc.uniqueArray(fc.integer({ min: 1, max: 9 }), { maxLength: 3 }).map((list) =>
      list.map((port, at) => ({
        containerPort: port,
        protocol: 'TCP' as const,
        ...(at === 0 ? { hostPort: port + 8000 } : {}),
      })),
    ),
    mounts: fc.constantFrom<StackService['mounts'] & object>(
      [],
      [{ type: 'volume', source: 'data', target: '/a' }],
      [
        { type: 'secret', source: 'key', target: '/run/secrets/key' },
        { type: 'tmpfs', target: '/tmp' },
        { type: 'bind', source: '/srv', target: '/srv', readOnly: true },
      ],
    ),
    resources: fc.constantFrom<StackService['resources'] & object>(
      { limits: { cpuMillis: 500, memoryBytes: 1 << 26 } },
      { reservations: { memoryBytes: 1e6 } },
    ),
    healthcheck: fc.constant({
      exec: ['true'],
      intervalSeconds: 1,
      timeoutSeconds: 1,
      retries: 3,
      startPeriodSeconds: 0,
    }),
    restart: fc.constantFrom<'always' | 'on-failure' | 'no'>('always', 'on-failure', 'no'),
    user: fc.constantFrom('0', '1000:1000', 'node'),
    workingDir: fc.constant('/app'),
    stopGracePeriodSeconds: fc.integer({ min: 0, max: 60 }),
  },
  { requiredKeys: [] },
);

describe('compiled stack, any file', () => {
  const stacks = fc
    .dictionary(fc.stringMatching(/^[a-z][a-z0-9_]{0,8}$/), anyService, { maxKeys: 4 })
    .map((services) => stack(services, { volumes: { data: {} }, secrets: { key: { data: 'aGk=' } } }));

  it('is what the API accepts, without a warning', () => {
    fc.assert(
      fc.property(stacks, (one) => {
        for (const { kind, object } of all(one)) {
          const { object: decoded, warnings } = decodeValue<ApiObject>(kind, object, { strictness: 'Strict' });
          applyDefaults(kind, decoded);
          assert.deepEqual(validate(kind, decoded), [], JSON.stringify(object));
          assert.deepEqual(warnings, []);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('is the same for the same file, whatever the order of its services', () => {
    fc.assert(
      fc.property(stacks, (one) => {
        const turned = {
          ...one,
          spec: { ...one.spec, services: Object.fromEntries(Object.entries(one.spec.services).reverse()) },
        };
        assert.deepEqual(compileStack(turned), compileStack(one));
      }),
      { numRuns: 50 },
    );
  });
});
