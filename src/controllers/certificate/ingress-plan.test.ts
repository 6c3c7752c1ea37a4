import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { namesCover } from '../../resources/certificates.ts';
import type { Certificate, Ingress } from '../../resources/kinds.ts';
import { annotations, labels } from '../../resources/names.ts';
import { sampleNowMs } from '../sample-objects.ts';
import { ingressHostsOf } from './ingress-hosts.ts';
import { type IngressHosts, type NamespaceStep, planNamespace } from './ingress-plan.ts';
import { sampleCertificate } from './test-certificates.ts';

const hash = (hosts: readonly string[]) => `h${hosts.length}`;

function ingress(tls: IngressHosts['tls'], ...hosts: string[]): IngressHosts {
  return { key: `shop/${hosts[0]}`, hosts, tls };
}

function automatic(name: string, hosts: string[], isReady = true, issuer: 'acme' | 'internal' = 'acme'): Certificate {
  const status = isReady ? ('True' as const) : ('False' as const);
  const conditions = [{ type: 'Ready', status, reason: '', message: '', lastTransitionTime: '' }];
  const made = sampleCertificate({ name, hosts, issuer, status: { conditions } });
  return { ...made, metadata: { ...made.metadata, labels: { [labels.automaticCertificate]: 'true' } } };
}

/** Nobody has needed it for so many hours. */
function unused(certificate: Certificate, hours: number): Certificate {
  const since = new Date(sampleNowMs - hours * 3_600_000).toISOString();
  return { ...certificate, metadata: { ...certificate.metadata, annotations: { [annotations.unusedSince]: since } } };
}

function used({ metadata: { annotations: _annotations, ...metadata }, ...certificate }: Certificate): Certificate {
  return { ...certificate, metadata };
}

const text = (step: NamespaceStep): string => {
  if (step.type === 'create') return `create ${step.name} ${step.issuer} ${step.hosts}`;
  if (step.type === 'warn') return `warn ${step.key} ${step.reason}`;
  return `${step.type} ${step.certificate.metadata.name}${step.type === 'change' ? ` ${step.issuer} ${step.hosts}` : ''}`;
};
const plan = (ingresses: readonly IngressHosts[], certificates: readonly Certificate[] = [], hasAcme = true) =>
  planNamespace({ ingresses, certificates, hasAcme, baseDomain: 'shop.example', nowMs: sampleNowMs, hash }).map(text);

describe('certificates for Ingress objects', () => {
  const own = automatic('a.example.org', ['a.example.org']);
  const cases: readonly (readonly [string, Parameters<typeof plan>, readonly string[]])[] = [
    ['one for a host', [[ingress('acme', 'a.example.org')]], ['create a.example.org acme a.example.org']],
    [
      'one for the hosts of an Ingress object',
      [[ingress('acme', 'b.example.org', 'a.example.org')]],
      ['create a.example.org-h2 acme a.example.org,b.example.org'],
    ],
    [
      'one for two Ingress objects with the same host',
      [[ingress('acme', 'a.example.org'), ingress('acme', 'a.example.org')]],
      ['create a.example.org acme a.example.org'],
    ],
    [
      'none for hosts that another one has with more',
      [[ingress('acme', 'a.example.org'), ingress('acme', 'b.example.org', 'a.example.org')]],
      ['create a.example.org-h2 acme a.example.org,b.example.org'],
    ],
    ['nothing where it is', [[ingress('acme', 'a.example.org')], [own]], []],
    ['none for who wants none', [[ingress('none', 'a.example.org')]], []],
    [
      'whoever can: ACME for public names',
      [[ingress(undefined, 'a.example.org')]],
      ['create a.example.org acme a.example.org'],
    ],
    [
      'whoever can: the grid itself for names that nobody owns',
      [[ingress(undefined, 'web.shop.localhost')]],
      ['create web.shop.localhost internal web.shop.localhost'],
    ],
    [
      'whoever can: the grid itself without ACME',
      [[ingress(undefined, 'a.example.org')], [], false],
      ['create a.example.org internal a.example.org'],
    ],
    [
      'one of its own for a host that the grid may not sign for',
      [[ingress(undefined, 'a.example.org', 'web.shop.example', 'b.localhost')], [], false],
      ['create a.example.org internal a.example.org', 'create b.localhost-h2 internal b.localhost,web.shop.example'],
    ],
    [
      'one in the Secret that was chosen, beside one for another host',
      [[{ ...ingress('acme', 'a.example.org'), named: [{ secretName: 'tls', hosts: ['b.example.org'] }] }]],
      ['create a.example.org acme a.example.org', 'create tls acme b.example.org'],
    ],
    [
      'leaves a Secret to who has it',
      [
        [
          {
            key: 'shop/x',
            hosts: [],
            tls: 'acme',
            named: [{ secretName: 'shop.example.org', hosts: ['b.example.org'] }],
          },
        ],
        [sampleCertificate()],
      ],
      [],
    ],
    [
      'changes who signs',
      [[ingress('internal', 'a.example.org')], [own]],
      ['change a.example.org internal a.example.org'],
    ],
    [
      'removes what nobody wants',
      [[], [automatic('b.localhost', ['b.localhost'], true, 'internal')]],
      ['remove b.localhost'],
    ],
    ['keeps what an ACME server has issued', [[], [own]], ['markUnused a.example.org']],
    ['for a day', [[], [unused(own, 23)]], []],
    ['and no longer', [[], [unused(own, 25)]], ['remove a.example.org']],
    ['uses it again', [[ingress('acme', 'a.example.org')], [unused(own, 23)]], ['markUnused a.example.org']],
    [
      'removes what was never issued',
      [[], [automatic('a.example.org', ['a.example.org'], false)]],
      ['remove a.example.org'],
    ],
    [
      'changes the hosts of one whose Secret was chosen',
      [
        [{ key: 'shop/x', hosts: [], tls: 'acme', named: [{ secretName: 'tls', hosts: ['b.org', 'a.org'] }] }],
        [automatic('tls', ['a.org'])],
      ],
      ['change tls acme a.org,b.org'],
    ],
    ['leaves alone what people made', [[], [sampleCertificate()]], []],
    ['uses what people made', [[ingress('acme', 'shop.example.org')], [sampleCertificate()]], []],
    [
      'uses a wildcard that people brought',
      [
        [ingress('acme', 'a.example.org')],
        [sampleCertificate({ name: 'w', hosts: ['*.example.org'], issuer: 'imported' })],
      ],
      [],
    ],
    [
      'takes another name where people have it',
      [[ingress('acme', 'a.example.org')], [sampleCertificate({ name: 'a.example.org', hosts: ['x.y'] })]],
      ['create a.example.org-h1 acme a.example.org'],
    ],
    [
      'says that ACME has no wildcards',
      [[ingress('acme', '*.example.org')]],
      ['warn shop/*.example.org WildcardByImport'],
    ],
    [
      'signs wildcards itself',
      [[ingress('internal', '*.shop.localhost')]],
      ['create wildcard.shop.localhost internal *.shop.localhost'],
    ],
    [
      'keeps the old one until the one with more hosts is ready',
      [
        [ingress('acme', 'a.example.org', 'b.example.org')],
        [own, automatic('a.example.org-h2', ['a.example.org', 'b.example.org'], false)],
      ],
      [],
    ],
    [
      'and then counts as unused',
      [
        [ingress('acme', 'a.example.org', 'b.example.org')],
        [own, automatic('a.example.org-h2', ['a.example.org', 'b.example.org'])],
      ],
      ['markUnused a.example.org'],
    ],
  ];
  for (const [what, given, expected] of cases) it(what, () => assert.deepEqual(plan(...given), expected));

  const hosts = fc.uniqueArray(fc.constantFrom('a.x.org', 'b.x.org', 'c.x.org', 'd.localhost'), { minLength: 1 });
  const tls = fc.constantFrom('acme', 'internal', 'none', undefined);
  const ingresses = fc.array(
    fc.tuple(tls, hosts).map(([one, list]) => ingress(one, ...list)),
    { maxLength: 5 },
  );

  it('converges, and shows no host less than before on the way', () => {
    fc.assert(
      fc.property(ingresses, ingresses, fc.boolean(), (before, after, hasAcme) => {
        let certificates: Certificate[] = [];
        const round = (wanted: readonly IngressHosts[]) => {
          const steps = planNamespace({
            ...{ ingresses: wanted, certificates, hasAcme, baseDomain: undefined, nowMs: sampleNowMs },
            hash: (list) => list.join('-'),
          });
          for (const step of steps) {
            if (step.type === 'create') {
              const issuer = step.issuer === 'internal' ? 'internal' : 'acme';
              certificates = [...certificates, automatic(step.name, [...step.hosts], false, issuer)];
            }
            if (step.type === 'remove') certificates = certificates.filter((one) => one !== step.certificate);
            if (step.type === 'change') {
              const { certificate, issuer } = step;
              certificates = certificates.map((one) =>
                one === certificate ? { ...one, spec: { ...one.spec, issuer } } : one,
              );
            }
            if (step.type === 'markUnused') {
              const { certificate, sinceMs } = step;
              const annotated = sinceMs === undefined ? used(certificate) : unused(certificate, 0);
              certificates = certificates.map((one) => (one === certificate ? annotated : one));
            }
          }
          return steps.length;
        };
        const ready = () => {
          certificates = certificates.map(({ metadata, spec }) =>
            automatic(metadata.name, spec.hosts, true, spec.issuer === 'internal' ? 'internal' : 'acme'),
          );
        };
        const isShown = (host: string) =>
          certificates.some(
            ({ spec, status }) => namesCover(spec.hosts, [host]) && status?.conditions?.[0]?.status === 'True',
          );
        round(before);
        ready();
        round(before);
        const shown = before.flatMap((one) => (one.tls === 'none' ? [] : one.hosts)).filter(isShown);
        round(after);
        const wanted = new Set(after.flatMap((one) => (one.tls === 'none' ? [] : one.hosts)));
        for (const host of shown) if (wanted.has(host)) assert.ok(isShown(host), host);
        ready();
        round(after);
        assert.equal(round(after), 0);
        for (const host of wanted) assert.ok(isShown(host), host);
      }),
    );
  });
});

describe('hosts of an Ingress object', () => {
  const of = (spec: Ingress['spec'], options: Record<string, string> = {}) => {
    const annotations = Object.fromEntries(
      Object.entries(options).map(([name, value]) => [`ingress.flotilla.dev/${name}`, value]),
    );
    const metadata = { name: 'web', namespace: 'shop', annotations };
    const object: Ingress = { apiVersion: 'networking.k8s.io/v1', kind: 'Ingress', metadata, spec };
    return ingressHostsOf(object, () => undefined);
  };
  const rules = [{ host: 'a.org' }, { host: 'b.org' }];
  it('are all of its hosts with the option tls', () => {
    assert.deepEqual(of({ rules }, { tls: 'acme' }), { key: 'shop/web', hosts: ['a.org', 'b.org'], tls: 'acme' });
  });
  it('are those that spec.tls lists without it', () => {
    assert.deepEqual(of({ rules }).hosts, []);
    assert.deepEqual(of({ rules, tls: [{ hosts: ['b.org'] }] }).hosts, ['b.org']);
    assert.deepEqual(of({ rules, tls: [{}] }).hosts, ['a.org', 'b.org']);
  });
  it('are not those that a Secret is named for', () => {
    assert.deepEqual(of({ rules, tls: [{ hosts: ['b.org'], secretName: 's' }] }, { tls: 'acme' }).hosts, ['a.org']);
  });
  it('may have the Secret chosen that is made', () => {
    const tls = [{ hosts: ['b.org'], secretName: 's' }];
    assert.deepEqual(of({ rules, tls }, { tls: 'acme' }).named, [{ secretName: 's', hosts: ['b.org'] }]);
    assert.equal(of({ rules, tls }).named, undefined);
    const wholly = of({ rules, tls: [{ secretName: 's' }] }, { tls: 'internal' });
    assert.deepEqual([wholly.hosts, wholly.named], [[], [{ secretName: 's', hosts: ['a.org', 'b.org'] }]]);
  });
  it('are none where the proxy does not end TLS', () => {
    assert.equal(of({ rules }, { 'tls-passthrough': 'true' }).tls, 'none');
  });
});
