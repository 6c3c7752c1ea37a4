import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Container, PodSpec } from 'kubernetes-types/core/v1.js';
import { annotations } from '../../resources/names.ts';
import { type ContainerSpecInput, containerName, renderContainerSpec } from './container-spec.ts';
import { podOf } from './test-objects.ts';

const specOf = (
  container: Partial<Container> = {},
  own: Record<string, string> = {},
  spec: Partial<PodSpec> = {},
  input: Partial<ContainerSpecInput> = {},
) =>
  renderContainerSpec({
    pod: podOf(container, { annotations: own }, spec),
    name: 'web',
    grid: 'main',
    nodeName: 'h1',
    attempt: 2,
    crashes: 0,
    networkName: 'flotilla',
    address: '10.80.3.2',
    variables: [{ name: 'A', value: 'one' }],
    mounts: [],
    boundPorts: [],
    ...input,
  });

describe('container of a pod', () => {
  const image = { entrypoint: undefined, command: undefined };
  const cases: [what: string, container: Partial<Container>, expected: typeof image | Record<string, unknown>][] = [
    ["neither: the image's own", {}, image],
    ['empty lists are none', { command: [], args: [] }, image],
    ['a command runs without the arguments of the image', { command: ['x'] }, { entrypoint: ['x'], command: [] }],
    ['arguments alone', { args: ['y', '$(A)'] }, { entrypoint: undefined, command: ['y', 'one'] }],
    ['both, expanded', { command: ['$(A)'], args: ['$$(A)'] }, { entrypoint: ['one'], command: ['$(A)'] }],
  ];
  for (const [what, container, expected] of cases) {
    it(what, () => {
      const { entrypoint, command } = specOf(container);
      assert.deepEqual({ entrypoint, command }, expected);
    });
  }

  it('has the rights of its own securityContext, else those of its pod', () => {
    const pod: PodSpec['securityContext'] = {
      runAsUser: 7,
      runAsGroup: 8,
      supplementalGroups: [9],
      sysctls: [{ name: 'net.core.somaxconn', value: '64' }],
    };
    const inherited = specOf({}, {}, { securityContext: pod, hostPID: true, hostIPC: true });
    assert.equal(inherited.user, '7:8');
    assert.deepEqual(inherited.supplementalGroups, [9]);
    assert.deepEqual(inherited.sysctls, { 'net.core.somaxconn': '64' });
    assert.deepEqual([inherited.hostPid, inherited.hostIpc, inherited.noNewPrivileges], [true, true, false]);
    const own = { runAsUser: 0, allowPrivilegeEscalation: false };
    const overridden = specOf({ securityContext: own }, {}, { securityContext: pod });
    assert.equal(overridden.user, '0:8');
    assert.equal(overridden.noNewPrivileges, true);
    assert.equal(specOf({ securityContext: { allowPrivilegeEscalation: true } }).noNewPrivileges, false);
  });

  it('has limits and requests; cpu requests default to the limit', () => {
    const { cpuLimitMillis, cpuRequestMillis, memoryLimitBytes } = specOf({
      resources: { limits: { cpu: '500m', memory: '64Mi' } },
    });
    assert.deepEqual([cpuLimitMillis, cpuRequestMillis, memoryLimitBytes], [500, 500, 64 * 2 ** 20]);
    assert.equal(specOf({ resources: { requests: { memory: '1Gi' } } }).memoryLimitBytes, undefined);
  });

  it('publishes fixed host ports, and random ones that stay the same over a restart', () => {
    const ports: Container['ports'] = [
      { containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'TCP' },
      { containerPort: 9000 },
    ];
    const own = { [annotations.randomHostPorts]: '81/TCP,53/UDP' };
    const before = [{ containerPort: 53, hostPort: 32_768, protocol: 'UDP' as const }];
    const fixed = { containerPort: 80, hostPort: 8080, hostIP: '127.0.0.1', protocol: 'TCP' };
    assert.deepEqual(specOf({ ports }, own, {}, { boundPorts: before }).ports, [
      fixed,
      { containerPort: 81, protocol: 'TCP' },
      { containerPort: 53, hostPort: 32_768, protocol: 'UDP' },
    ]);
  });

  it('runs as the user by number, else as the one by name', () => {
    assert.equal(specOf({ securityContext: { runAsUser: 0, runAsGroup: 7 } }).user, '0:7');
    assert.equal(specOf({ securityContext: { runAsUser: 1000 } }, { [annotations.user]: 'www' }).user, '1000');
    assert.equal(specOf({}, { [annotations.user]: 'www' }).user, 'www');
    assert.equal('user' in specOf(), false);
  });

  it('passes on what the security context, host aliases and terminal say', () => {
    const spec = specOf(
      {
        tty: true,
        stdin: true,
        workingDir: '/srv',
        securityContext: { readOnlyRootFilesystem: true, privileged: true, capabilities: { add: ['A'], drop: ['B'] } },
      },
      {},
      { hostname: 'www', hostAliases: [{ ip: '192.0.2.7', hostnames: ['one', 'two'] }] },
    );
    assert.deepEqual(
      [spec.tty, spec.openStdin, spec.readOnlyRootFilesystem, spec.privileged, spec.workingDir, spec.hostname],
      [true, true, true, true, '/srv', 'www'],
    );
    assert.deepEqual([spec.addCapabilities, spec.dropCapabilities], [['A'], ['B']]);
    assert.deepEqual(spec.extraHosts, ['one:192.0.2.7', 'two:192.0.2.7']);
  });

  it("without an address is in the host's network and publishes nothing", () => {
    const pod = podOf({ ports: [{ containerPort: 80, hostPort: 80 }] }, {}, { hostNetwork: true });
    const spec = renderContainerSpec({
      ...{ pod, name: 'web', grid: 'main', nodeName: 'h1', attempt: 0, crashes: 0, networkName: 'flotilla' },
      ...{ variables: [], mounts: [], boundPorts: [] },
    });
    assert.deepEqual([spec.network, spec.ports], ['host', []]);
  });

  it('has a name that the engine takes, however long the pod’s', () => {
    const name = containerName(podOf({}, { name: 'x'.repeat(253), namespace: 'n'.repeat(63) }), 'c'.repeat(40), 12);
    assert.ok(name.length <= 255, String(name.length));
    assert.match(name, /_uid-1_12$/);
  });
});
