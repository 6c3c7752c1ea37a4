// What a pod's security context asks for, as a process in the container sees it.
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import type { PodSpec } from 'kubernetes-types/core/v1.js';
import { createDockerRuntime } from '../../src/adapters/runtime/docker.ts';
import type { ContainerRuntime } from '../../src/adapters/runtime/port.ts';
import { renderContainerSpec } from '../../src/agent/pod/container-spec.ts';
import { silentLogger } from '../../src/lib/log.ts';
import { busyboxImage, type DockerDaemon, dockerIsMissing, startDockerDaemon } from './docker-daemon.ts';

const missing = dockerIsMissing();
if (missing !== undefined) {
  if (process.env.CI) throw new Error(`this test needs Docker: ${missing}`);
  it('rights of containers', { skip: missing });
} else {
  let daemon: DockerDaemon;
  let runtime: ContainerRuntime;
  before(async () => {
    daemon = await startDockerDaemon();
    runtime = createDockerRuntime({ socketPath: daemon.socketPath, exec: daemon.hostExec, log: silentLogger });
  });
  after(() => daemon.stop());

  /** What the script prints. */
  async function outputOf(name: string, script: string, more: Partial<PodSpec>, own: object = {}): Promise<string> {
    const container = { name: 'main', image: busyboxImage, command: ['/bin/sh', '-c', script], securityContext: own };
    const spec = renderContainerSpec({
      pod: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name, namespace: 'default', uid: name },
        spec: { ...more, containers: [container] },
      },
      name: 'main',
      grid: 'main',
      nodeName: 'h1',
      attempt: 0,
      crashes: 0,
      networkName: 'none',
      variables: [],
      mounts: [],
      boundPorts: [],
    });
    const id = await runtime.create({ ...spec, network: 'none' });
    await runtime.start(id);
    let text = '';
    const log = await runtime.logs(id, { follow: true, timestamps: false }, AbortSignal.timeout(20_000));
    for await (const { data } of log.lines) text += data.toString('utf8');
    await runtime.remove(id);
    return text.trim();
  }

  const idOfSelf = 'echo $(id -u) $(id -g) $(id -G)';
  it('user and groups come from the container, else from the pod', async () => {
    const securityContext = { runAsUser: 7, runAsGroup: 8, supplementalGroups: [9] };
    assert.equal(await outputOf('inherits', idOfSelf, { securityContext }), '7 8 8 9');
    assert.equal(await outputOf('overrides', idOfSelf, { securityContext }, { runAsUser: 11 }), '11 8 8 9');
  });

  it('no process gains rights when allowPrivilegeEscalation is false', async () => {
    const script = 'cat /proc/self/status';
    assert.match(await outputOf('plain', script, {}), /NoNewPrivs:\t0/);
    assert.match(await outputOf('bound', script, {}, { allowPrivilegeEscalation: false }), /NoNewPrivs:\t1/);
  });

  it('a sysctl holds in the pod, and there alone', async () => {
    const sysctls = [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '81' }];
    const path = '/proc/sys/net/ipv4/ip_unprivileged_port_start';
    assert.equal(await outputOf('tuned', `cat ${path}`, { securityContext: { sysctls } }), '81');
    assert.notEqual((await daemon.exec(['cat', path])).trim(), '81');
  });

  it('hostPID and hostIPC are the node’s own namespaces', async () => {
    const shared = { pid: { hostPID: true }, ipc: { hostIPC: true } };
    for (const [kind, spec] of Object.entries(shared)) {
      const path = `/proc/self/ns/${kind}`;
      const namespace = (await daemon.exec(['readlink', path])).trim();
      assert.equal(await outputOf(`host-${kind}`, `busybox readlink ${path}`, spec), namespace);
      assert.notEqual(await outputOf(`own-${kind}`, `busybox readlink ${path}`, {}), namespace);
    }
  });
}
