import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ApiError } from '../../../resources/api-error.ts';
import type { GridNetworkSpec } from '../../../resources/grid-network.ts';
import { type Grid, grids, namespaces, type Service, services } from '../../../resources/kinds.ts';
import type { ApiObject } from '../../../resources/object.ts';
import { startTestApi, type TestApi } from '../../test-api.ts';

const main = { grid: 'main' };
const ref = (name: string) => ({ namespace: 'default', name });

function service(name: string, spec: object = {}): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { ports: [{ port: 80 }], ...spec },
  };
}

interface Scene {
  readonly api: TestApi;
  create(name: string, spec?: object): Promise<Service>;
  update(name: string, spec: object): Promise<Service>;
  /** What is reserved, by key without its prefix. */
  reserved(): Promise<string[]>;
}

function sceneTest(name: string, run: (scene: Scene) => Promise<void>, network?: GridNetworkSpec): void {
  it(name, async () => {
    const api = await startTestApi();
    const grid: Grid = { apiVersion: 'flotilla.dev/v1alpha1', kind: 'Grid', metadata: { name: 'main' } };
    if (network) await api.registry.create({ grid: 'system' }, grids, { ...grid, spec: { network } } as Grid);
    const scene: Scene = {
      api,
      create: async (each, spec) => (await api.registry.create(main, services, service(each, spec))) as Service,
      update: async (each, spec) => {
        const next = { ...service(each), spec } as ApiObject;
        return (await api.registry.update(main, services, ref(each), next)) as Service;
      },
      reserved: async () => {
        const { entries } = await api.store.list('/a/');
        return entries.map((one) => one.key.replace('/a/main/', ''));
      },
    };
    try {
      await run(scene);
    } finally {
      await api.stop();
    }
  });
}

function refused(promise: Promise<unknown>, code: number, message: string): Promise<void> {
  return assert.rejects(promise, (error) => {
    assert.ok(error instanceof ApiError, String(error));
    assert.deepEqual([error.status.code, error.message], [code, message]);
    return true;
  });
}

const small: GridNetworkSpec = { serviceRange: '10.9.0.0/28', nodePortRange: '30000-30002' };

describe('addresses of Service objects', () => {
  sceneTest('are given, each once, and known in the commit that makes the object', async ({ create, reserved }) => {
    const made = await Promise.all(Array.from({ length: 40 }, (_, at) => create(`s${at}`)));
    const addresses = made.map((one) => one.spec.clusterIP ?? '');
    assert.equal(new Set(addresses).size, 40);
    for (const one of made) {
      assert.match(one.spec.clusterIP ?? '', /^10\.96\.\d+\.\d+$/);
      assert.deepEqual(one.spec.clusterIPs, [one.spec.clusterIP]);
      // The first 256 are left to those that ask by name.
      assert.doesNotMatch(one.spec.clusterIP ?? '', /^10\.96\.0\./);
    }
    assert.deepEqual((await reserved()).sort(), addresses.map((one) => `service-ip/${one}`).sort());
  });

  sceneTest('that are asked for are in the range and free, or refused', async ({ api, create }) => {
    assert.equal((await create('a', { clusterIP: '10.96.0.10' })).spec.clusterIP, '10.96.0.10');
    const words = 'spec.clusterIPs: Invalid value';
    await refused(
      create('b', { clusterIP: '10.96.0.10' }),
      422,
      `Service "b" is invalid: ${words}: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated`,
    );
    await refused(
      create('b', { clusterIP: '10.1.0.10' }),
      422,
      `Service "b" is invalid: ${words}: ["10.1.0.10"]: failed to allocate IP 10.1.0.10: the provided IP (10.1.0.10) is not in the valid range. The range of valid IPs is 10.96.0.0/16`,
    );
    await refused(
      create('b', { clusterIP: '10.96.0.1' }),
      422,
      `Service "b" is invalid: ${words}: ["10.96.0.1"]: failed to allocate IP 10.96.0.1: provided IP is already allocated`,
    );
    const apiService = service('kubernetes', { clusterIP: '10.96.0.1' });
    assert.equal(((await api.registry.create(main, services, apiService)) as Service).spec.clusterIP, '10.96.0.1');
  });

  sceneTest('come back when the object goes, however it goes', async ({ api, create, reserved }) => {
    await create('a', { clusterIP: '10.96.0.10' });
    await api.registry.delete(main, services, ref('a'));
    assert.deepEqual(await reserved(), []);
    await api.registry.create(main, services, {
      ...service('b', { clusterIP: '10.96.0.10' }),
      metadata: { name: 'b', namespace: 'default', finalizers: ['a.b/c'] },
    });
    await api.registry.delete(main, services, ref('b'));
    assert.deepEqual(await reserved(), ['service-ip/10.96.0.10'], 'held while it is there');
    const patch = { type: 'merge', body: { metadata: { finalizers: null } }, strictness: 'Strict' } as const;
    await api.registry.patch(main, services, ref('b'), patch);
    assert.deepEqual(await reserved(), []);
  });

  sceneTest('are not taken by a dry run', async ({ api, create, reserved }) => {
    const dry = { ...main, isDryRun: true };
    const made = (await api.registry.create(dry, services, service('a'))) as Service;
    assert.match(made.spec.clusterIP ?? '', /^10\.96\./);
    await create('b', { type: 'ExternalName', externalName: 'b.example', ports: [] });
    const next = { ...service('b'), spec: { type: 'NodePort', ports: [{ port: 80 }] } } as ApiObject;
    assert.ok(((await api.registry.update(dry, services, ref('b'), next)) as Service).spec.ports?.[0]?.nodePort);
    assert.deepEqual(await reserved(), []);
  });

  sceneTest('stay through updates, go with a type that has none, and are given with one that has', async (scene) => {
    const { create, update, reserved } = scene;
    const made = await create('a');
    const ports = [{ port: 81 }];
    assert.equal((await update('a', { ports })).spec.clusterIP, made.spec.clusterIP);
    const outside = await update('a', { type: 'ExternalName', externalName: 'a.example' });
    assert.deepEqual([outside.spec.clusterIP, await reserved()], [undefined, []]);
    const inside = await update('a', { type: 'ClusterIP', ports });
    assert.deepEqual(await reserved(), [`service-ip/${inside.spec.clusterIP}`]);
    assert.deepEqual((await create('b', { clusterIP: 'None' })).spec.clusterIPs, ['None']);
    assert.equal((await reserved()).length, 1);
  });

  sceneTest(
    'end with a sentence when none is left',
    async ({ api, create }) => {
      // 14 addresses, one of them the API's.
      const made = await Promise.all(Array.from({ length: 13 }, (_, at) => create(`s${at}`)));
      assert.equal(new Set(made.map((one) => one.spec.clusterIP)).size, 13);
      assert.ok(made.every((one) => one.spec.clusterIP !== '10.9.0.1'));
      await refused(create('last'), 500, 'Internal error occurred: failed to allocate a serviceIP: range is full');
      await api.registry.delete(main, services, ref('s7'));
      assert.equal((await create('last')).spec.clusterIP, made[7]?.spec.clusterIP);
    },
    small,
  );

  sceneTest('that a former server left behind with no holder are given again', async ({ api, create }) => {
    const value = Buffer.from(JSON.stringify({ namespace: 'default', name: 'gone', uid: 'u' }));
    await api.store.commit([], [{ type: 'put', key: '/a/main/service-ip/10.96.0.10', value }]);
    assert.equal((await create('a', { clusterIP: '10.96.0.10' })).spec.clusterIP, '10.96.0.10');
    await refused(
      create('b', { clusterIP: '10.96.0.10' }),
      422,
      'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.10"]: failed to allocate IP 10.96.0.10: provided IP is already allocated',
    );
  });

  sceneTest('of a namespace that ends come back with its objects', async ({ api, reserved }) => {
    const named = (name: string): ApiObject => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
    await api.registry.create(main, namespaces, named('shop'));
    await api.registry.create(main, services, { ...service('a'), metadata: { name: 'a', namespace: 'shop' } });
    await api.registry.delete(main, services, { namespace: 'shop', name: 'a' });
    assert.deepEqual(await reserved(), []);
  });
});

describe('node ports', () => {
  const open = (ports: object[]) => ({ type: 'NodePort', ports });

  sceneTest('are given, one for both protocols of a port', async ({ create, reserved }) => {
    const ports = [
      { name: 'tcp', port: 53, protocol: 'TCP' },
      { name: 'udp', port: 53, protocol: 'UDP' },
      { name: 'web', port: 80 },
    ];
    const [tcp, udp, web] = (await create('dns', open(ports))).spec.ports?.map((port) => port.nodePort) ?? [];
    assert.ok(tcp && tcp >= 30_000 && tcp <= 32_767);
    assert.equal(udp, tcp);
    assert.notEqual(web, tcp);
    assert.equal((await reserved()).filter((key) => key.startsWith('node-port/')).length, 2);
  });

  sceneTest('that are asked for are in the range and free, or refused', async ({ create, update }) => {
    await create('a', open([{ port: 80, nodePort: 30_080 }]));
    const where = 'is invalid: spec.ports[0].nodePort: Invalid value';
    await refused(
      create('b', open([{ port: 80, nodePort: 30_080 }])),
      422,
      `Service "b" ${where}: 30080: provided port is already allocated`,
    );
    await refused(
      create('b', open([{ port: 80, nodePort: 80 }])),
      422,
      `Service "b" ${where}: 80: provided port is not in the valid range. The range of valid ports is 30000-32767`,
    );
    await create('b');
    await refused(
      update('b', open([{ port: 80, nodePort: 30_080 }])),
      422,
      `Service "b" ${where}: 30080: provided port is already allocated`,
    );
  });

  sceneTest('change, and go with the type', async ({ create, update, reserved }) => {
    const made = await create('a', open([{ port: 80, nodePort: 30_080 }]));
    await update('a', open([{ port: 80, nodePort: 30_081 }]));
    const address = `service-ip/${made.spec.clusterIP}`;
    assert.deepEqual((await reserved()).sort(), ['node-port/30081', address]);
    const inside = await update('a', { type: 'ClusterIP', ports: [{ port: 80, nodePort: 30_081 }] });
    assert.equal(inside.spec.ports?.[0]?.nodePort, undefined);
    assert.deepEqual(await reserved(), [address]);
  });

  sceneTest('are not given to a balancer that wants none', async ({ create }) => {
    const made = await create('a', { type: 'LoadBalancer', allocateLoadBalancerNodePorts: false });
    assert.equal(made.spec.ports?.[0]?.nodePort, undefined);
    assert.ok((await create('b', { type: 'LoadBalancer' })).spec.ports?.[0]?.nodePort);
  });

  sceneTest(
    'end with a sentence, and a refused object keeps nothing',
    async ({ create, reserved }) => {
      await create('a', open([{ port: 80 }]));
      const before = await reserved();
      const three = open([1, 2, 3].map((port) => ({ name: `p${port}`, port })));
      await refused(create('b', three), 500, 'Internal error occurred: failed to allocate a nodePort: range is full');
      assert.deepEqual(await reserved(), before);
    },
    small,
  );
});
