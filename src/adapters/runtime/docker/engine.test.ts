import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hasCode } from '../../../lib/errors.ts';
import { parseInspect } from './container-json.ts';
import { renderCreateBody } from './create-body.ts';
import { classifyPullFailure } from './docker-pull.ts';
import { unixSeconds } from './docker-streams.ts';
import { negotiateVersion } from './engine-version.ts';
import { parseImageReference } from './image-reference.ts';

describe('version of the engine', () => {
  const cases: [answer: object, chosen: string][] = [
    [{ ApiVersion: '1.41', MinAPIVersion: '1.12', Version: '20.10.24' }, '1.41'],
    [{ ApiVersion: '1.52', MinAPIVersion: '1.44', Version: '29.0.0' }, '1.47'],
    [{ ApiVersion: '1.40', Version: '4.3.1', Components: [{ Name: 'Podman Engine' }] }, '1.40'],
  ];
  for (const [answer, chosen] of cases) {
    it(`of ${JSON.stringify(answer)} is spoken as ${chosen}`, () => {
      assert.equal(negotiateVersion(answer, 'unix:///x').apiVersion, chosen);
    });
  }
  it('is refused when too old, with the minimum in the message', () => {
    const old = { ApiVersion: '1.39', Version: '18.09' };
    assert.throws(
      () => negotiateVersion(old, 'unix:///x'),
      (error) => hasCode(error, 'EngineTooOld') && /18\.09.*1\.39.*1\.40/.test(error.message),
    );
  });
  it('is refused when it dropped all that we speak', () => {
    const young = { ApiVersion: '1.60', MinAPIVersion: '1.50', Version: '40' };
    assert.throws(() => negotiateVersion(young, 'unix:///x'), /newer Flotilla|refuses API versions below 1\.50/);
  });
});

describe('names of images', () => {
  const cases: [image: string, registry: string, repository: string, version: string][] = [
    ['nginx', 'docker.io', 'library/nginx', 'latest'],
    ['acme/web:9', 'docker.io', 'acme/web', '9'],
    ['10.99.0.254:5000/web', '10.99.0.254:5000', 'web', 'latest'],
    ['localhost/web:1', 'localhost', 'web', '1'],
    ['ghcr.io/a/b:2@sha256:abc', 'ghcr.io', 'a/b', 'sha256:abc'],
  ];
  for (const [image, registry, repository, version] of cases) {
    it(image, () => {
      const parsed = parseImageReference(image);
      assert.deepEqual([parsed.registry, parsed.repository, parsed.version], [registry, repository, version]);
    });
  }
});

describe('words of registries', () => {
  const cases: [words: string, failure: string][] = [
    ['manifest for acme/web:9 not found: manifest unknown: manifest unknown', 'not-found'],
    ["pull access denied for acme/web, repository does not exist or may require 'docker login'", 'not-found'],
    ['Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io: no such host', 'unreachable'],
    ['Get "http://10.0.0.1:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused', 'unreachable'],
    ['unauthorized: authentication required', 'denied'],
  ];
  for (const [words, failure] of cases) it(words, () => assert.equal(classifyPullFailure(words), failure));
});

describe('create', () => {
  it('turns limits into what the engine takes', () => {
    const body = renderCreateBody({
      name: 'x',
      image: 'i',
      labels: {},
      environment: [{ name: 'A', value: 'b=c' }],
      network: { name: 'flotilla', address: '10.80.0.2' },
      ports: [{ containerPort: 53, protocol: 'UDP', hostPort: 5353 }],
      mounts: [],
      cpuLimitMillis: 250,
      cpuRequestMillis: 100,
      memoryLimitBytes: 64,
    }) as { Env: string[]; HostConfig: Record<string, unknown>; NetworkingConfig: unknown };
    assert.deepEqual(body.Env, ['A=b=c']);
    assert.equal(body.HostConfig.CpuQuota, 25_000);
    assert.equal(body.HostConfig.CpuShares, 102);
    assert.equal(body.HostConfig.MemorySwap, 64);
    assert.deepEqual(body.HostConfig.PortBindings, { '53/udp': [{ HostIp: '', HostPort: '5353' }] });
    assert.deepEqual(body.NetworkingConfig, {
      EndpointsConfig: { flotilla: { IPAMConfig: { IPv4Address: '10.80.0.2' } } },
    });
  });

  it('turns rights into what the engine takes', () => {
    const base = {
      name: 'x',
      image: 'i',
      labels: {},
      environment: [],
      network: 'host',
      ports: [],
      mounts: [],
    } as const;
    const hostConfig = (more: object) =>
      (renderCreateBody({ ...base, ...more }) as { HostConfig: Record<string, unknown> }).HostConfig;
    const all = hostConfig({
      noNewPrivileges: true,
      supplementalGroups: [7, 8],
      sysctls: { 'net.core.somaxconn': '64' },
      hostPid: true,
      hostIpc: true,
    });
    assert.deepEqual(all.SecurityOpt, ['no-new-privileges:true']);
    assert.deepEqual(all.GroupAdd, ['7', '8']);
    assert.deepEqual(all.Sysctls, { 'net.core.somaxconn': '64' });
    assert.deepEqual([all.PidMode, all.IpcMode], ['host', 'host']);
    const none = hostConfig({});
    assert.deepEqual([none.SecurityOpt, none.PidMode, none.IpcMode], [undefined, undefined, undefined]);
  });
});

describe('inspect', () => {
  const answer = {
    Id: 'a',
    Name: '/fl_x',
    Created: '2026-01-01T00:00:00Z',
    Image: 'sha256:1',
    Config: { Image: 'i', Labels: null },
    State: {
      Status: 'created',
      ExitCode: 127,
      OOMKilled: false,
      Error: 'exec: "nope": not found',
      StartedAt: '0001-01-01T00:00:00Z',
      FinishedAt: '0001-01-01T00:00:00Z',
      Pid: 0,
    },
  };
  it('shows a start that failed as an attempt that ended', () => {
    const { state, exitCode, error, startedAt } = parseInspect(answer);
    assert.deepEqual(
      { state, exitCode, error, startedAt },
      {
        state: 'exited',
        exitCode: 127,
        error: 'exec: "nope": not found',
        startedAt: undefined,
      },
    );
  });
  it('shows a port once that listens on IPv4 and IPv6', () => {
    const ports = {
      '80/tcp': [
        { HostIp: '0.0.0.0', HostPort: '8080' },
        { HostIp: '::', HostPort: '8080' },
      ],
    };
    assert.deepEqual(parseInspect({ ...answer, NetworkSettings: { Ports: ports } }).hostPorts, [
      { containerPort: 80, hostPort: 8080, protocol: 'TCP' },
    ]);
  });
});

describe('since', () => {
  it('keeps nanoseconds', () => {
    assert.equal(unixSeconds('2026-01-01T00:00:00.123456789Z'), '1767225600.123456789');
  });
  it('refuses what is no time', () => {
    assert.throws(() => unixSeconds('yesterday'), /is no time/);
  });
});
