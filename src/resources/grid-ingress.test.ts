import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type GridIngressSpec, gridIngressErrors, gridIngressOf } from './grid-ingress.ts';
import { ingressArgs, ingressFlags, parseIngressFlags, readIngressFlags } from './grid-ingress-flags.ts';

describe('how a grid lets the world in', () => {
  it('has defaults for all that must be known', () => {
    assert.deepEqual(gridIngressOf(undefined), {
      httpPort: 80,
      httpsPort: 443,
      trustedProxies: [],
      acceptProxyProtocol: false,
      maxConnections: 20_000,
    });
    const { baseDomain, trustedProxies } = gridIngressOf({
      baseDomain: 'localhost',
      trustedProxies: ['10.0.0.7', '::1'],
    });
    assert.deepEqual([baseDomain, trustedProxies], ['localhost', ['10.0.0.7/32', '::1/128']]);
  });

  const acme = { directoryURL: 'https://acme.example/directory', email: 'admin@example.org' };
  const cases: readonly (readonly [GridIngressSpec, string | undefined])[] = [
    [{}, undefined],
    [{ baseDomain: 'localhost', healthPath: '/healthz', acme }, undefined],
    [{ trustedProxies: ['10.0.0.0/8', '2001:db8::1'], acceptProxyProtocol: true }, undefined],
    [{ baseDomain: '*.example.org' }, 'x.baseDomain'],
    [{ baseDomain: 'Example.org' }, 'x.baseDomain'],
    [{ baseDomain: '10.0.0.1' }, 'x.baseDomain'],
    [{ baseDomain: `${'a'.repeat(63)}.${'b'.repeat(63)}` }, 'x.baseDomain'],
    [{ httpPort: 0 }, 'x.httpPort'],
    [{ httpPort: 443 }, 'x.httpsPort'],
    [{ trustedProxies: ['10.0.0.0/33'] }, 'x.trustedProxies[0]'],
    [{ acceptProxyProtocol: true }, 'x.trustedProxies'],
    [{ maxConnections: 9 }, 'x.maxConnections'],
    [{ healthPath: '/a b' }, 'x.healthPath'],
    [{ healthPath: '/a\n' }, 'x.healthPath'],
    [{ acme: { ...acme, directoryURL: 'http://acme.example' } }, 'x.acme.directoryURL'],
    [{ acme: { ...acme, email: 'nobody' } }, 'x.acme.email'],
    [{ acme: { ...acme, caCertificate: 'x' } }, 'x.acme.caCertificate'],
  ];
  for (const [spec, field] of cases) {
    it(`${field ?? 'takes'} ${JSON.stringify(spec).slice(0, 80)}`, () => {
      assert.deepEqual(
        gridIngressErrors(spec, 'x').map((error) => error.field),
        field === undefined ? [] : [field],
      );
    });
  }
});

describe('options that say it', () => {
  it('say only what was said, and are said again by a service', () => {
    assert.equal(ingressFlags.length, 7);
    assert.deepEqual(readIngressFlags({ data: '/x', trustedProxy: [] }), {});
    const flags = {
      baseDomain: 'apps.example.org',
      ingressHttpPort: '8080',
      trustedProxy: ['10.0.0.0/8', '192.0.2.1'],
      acceptProxyProtocol: 'true',
    };
    const spec = readIngressFlags(flags);
    assert.deepEqual(spec, {
      baseDomain: 'apps.example.org',
      httpPort: 8080,
      trustedProxies: ['10.0.0.0/8', '192.0.2.1'],
      acceptProxyProtocol: true,
    });
    assert.deepEqual(ingressArgs(spec), [
      ...['--base-domain', 'apps.example.org', '--ingress-http-port', '8080', '--trusted-proxy', '10.0.0.0/8'],
      ...['--trusted-proxy', '192.0.2.1', '--accept-proxy-protocol', 'true'],
    ]);
  });

  it('take something away with none', () => {
    assert.deepEqual(parseIngressFlags({ baseDomain: 'none', trustedProxy: ['none'] }), {
      baseDomain: null,
      trustedProxies: [],
    });
    assert.deepEqual(readIngressFlags({ baseDomain: 'none' }), {});
  });

  const refused: readonly (readonly [object, RegExp])[] = [
    [{ baseDomain: '*.x' }, /^--base-domain: Invalid value: "\*\.x"/],
    [{ ingressHttpPort: 'http' }, /^--ingress-http-port "http" is no number$/],
    [{ ingressHttpsPort: '80' }, /^--ingress-https-port: /],
    [{ acceptProxyProtocol: 'yes' }, /^--accept-proxy-protocol "yes" is neither true nor false$/],
    [{ acceptProxyProtocol: 'true' }, /^--trusted-proxy: Required value/],
    [{ ingressMaxConnections: '5' }, /^--ingress-max-connections: /],
  ];
  for (const [flags, message] of refused) {
    it(`refuse ${JSON.stringify(flags)}`, () => {
      assert.throws(() => readIngressFlags(flags as never), { code: 'BadUsage', message });
    });
  }
});
