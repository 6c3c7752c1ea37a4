import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { CertificateOrder, CertificateStatus } from '../../resources/certificates.ts';
import { formatTime } from '../../resources/conditions.ts';
import { sampleNowMs } from '../sample-objects.ts';
import {
  type CertificateObservation,
  type CertificateStep,
  expiryWarning,
  intentPatienceMs,
  nodePatienceMs,
  orderPatienceMs,
  planCertificate,
  readinessOf,
} from './plan.ts';
import { type CertificateOutcome, statusAfter } from './status.ts';
import {
  dayMs,
  directoryURL,
  sampleCertificate,
  sampleFacts,
  sampleObservation,
  sampleSecret,
} from './test-certificates.ts';

const startTime = formatTime(sampleNowMs - 5_000);
const order = (more: Partial<CertificateOrder> = {}): CertificateOrder => ({ startTime, directoryURL, ...more });
const placed = order({ url: 'https://acme.example/o/1', challengeURLs: ['https://acme.example/c/1'] });
const withStatus = (status: CertificateStatus, more: Partial<CertificateObservation> = {}) =>
  sampleObservation({ certificate: sampleCertificate({ status }), ...more });
const imported = sampleCertificate({ issuer: 'imported' });
const internal = sampleCertificate({ issuer: 'internal' });

function shown(step: CertificateStep): string {
  if (step.type === 'rest') {
    const at = step.untilMs === undefined ? 'for ever' : `${Math.round((step.untilMs - sampleNowMs) / 1000)} s`;
    return `rest ${at}${step.isCurrent ? ', current' : ''}`;
  }
  if (step.type === 'refuse') return `refuse ${step.reason}`;
  return 'why' in step ? `${step.type}: ${step.why}` : step.type;
}

describe('certificate plan', () => {
  const cases: readonly (readonly [string, CertificateObservation, RegExp])[] = [
    ['asks for the first one', sampleObservation(), /^begin: there is none$/],
    ['lets one be that holds', sampleObservation({ secret: sampleSecret(10) }), /^rest \d+ s, current$/],
    ['renews after two thirds', sampleObservation({ secret: sampleSecret(61) }), /^begin: it ends in 29 days$/],
    ['renews one that has ended', sampleObservation({ secret: sampleSecret(91) }), /^begin: it ended 24 hours ago$/],
    [
      'asks anew for other hosts',
      sampleObservation({ secret: sampleSecret(10, { facts: sampleFacts(10, ['www.example.org']) }) }),
      /^begin: it is for other hosts$/,
    ],
    [
      'asks anew when key and certificate do not belong together',
      sampleObservation({ secret: sampleSecret(10, { problem: 'the key does not belong to it' }) }),
      /^begin: the key does not/,
    ],
    [
      'takes another issuer’s place',
      sampleObservation({ secret: sampleSecret(10, { issuer: 'internal' }) }),
      /^begin: it was signed/,
    ],
    [
      'never touches a Secret of others',
      sampleObservation({ secret: sampleSecret(95, { isOwn: false }) }),
      /^rest for ever$/,
    ],
    ['follows a wish', sampleObservation({ secret: sampleSecret(1), request: 'now' }), /^begin: somebody asked/],
    [
      'follows a wish once',
      withStatus({ followedRequest: 'now' }, { secret: sampleSecret(1), request: 'now' }),
      /^rest \d+ s, current$/,
    ],
    [
      'follows a wish through the order that it led to',
      withStatus({ triedRequest: 'now', order: placed }, { secret: sampleSecret(1), request: 'now' }),
      /^offer$/,
    ],
    [
      'tries a wish at once after failures',
      withStatus({ nextAttemptTime: formatTime(sampleNowMs + 60_000), triedRequest: 'before' }, { request: 'now' }),
      /^begin/,
    ],
    [
      'and then waits as ever',
      withStatus({ nextAttemptTime: formatTime(sampleNowMs + 60_000), triedRequest: 'now' }, { request: 'now' }),
      /^rest 60 s$/,
    ],
    [
      'waits after a failure',
      withStatus({ nextAttemptTime: formatTime(sampleNowMs + 60_000), failures: 2 }),
      /^rest 60 s$/,
    ],
    [
      'does not believe a wait of a month: somebody set the clock',
      withStatus({ nextAttemptTime: formatTime(sampleNowMs + 30 * dayMs), failures: 2 }),
      /^begin/,
    ],
    ['says that there is no ACME server', sampleObservation({ acme: undefined }), /^refuse NoAcmeServer$/],
    [
      'asks for no host of another namespace',
      sampleObservation({ claimProblem: 'host x belongs to Ingress a/b, of another namespace' }),
      /^refuse HostTaken$/,
    ],
    ['signs by the grid’s own authority', sampleObservation({ certificate: internal }), /^sign: there is none$/],
    [
      'does not sign for what it may not',
      sampleObservation({ certificate: internal, authorityProblem: 'not for shop.example.org' }),
      /^refuse NotPermitted$/,
    ],
    [
      'signs anew by a new authority',
      sampleObservation({
        certificate: internal,
        secret: sampleSecret(1, { issuer: 'internal', isOfAuthority: false }),
      }),
      /^sign: the authority of the grid is a new one$/,
    ],
    [
      'signs anew what was signed by a clock far ahead',
      sampleObservation({ certificate: internal, secret: sampleSecret(-3, { issuer: 'internal' }) }),
      /^sign: it holds from a future day$/,
    ],
    ['does not order anew for that', sampleObservation({ secret: sampleSecret(-3) }), /^rest \d+ s, current$/],
    [
      'leaves an imported one alone',
      sampleObservation({ certificate: imported, secret: sampleSecret(91, { isOwn: false }) }),
      /^rest for ever$/,
    ],
    [
      'looks at an imported one when people are to be told',
      sampleObservation({ certificate: imported, secret: sampleSecret(10, { isOwn: false }) }),
      /^rest 4320000 s$/,
    ],
    [
      'places the order that it has begun itself',
      withStatus({ order: order() }, { ownStartTime: startTime }),
      /^place$/,
    ],
    ['waits for another leader that may be asking', withStatus({ order: order() }), /^rest 25 s$/],
    [
      'begins anew when that one is gone',
      withStatus({ order: order({ startTime: formatTime(sampleNowMs - intentPatienceMs - 1_000) }) }),
      /^begin/,
    ],
    ['offers when all nodes answer', withStatus({ order: placed }), /^offer$/],
    ['waits for nodes', withStatus({ order: placed }, { laggingSinceMs: sampleNowMs - 1_000 }), /^rest 9 s$/],
    [
      'waits for nodes so long',
      withStatus({ order: placed }, { laggingSinceMs: sampleNowMs - nodePatienceMs }),
      /^offer$/,
    ],
    ['follows what was offered', withStatus({ order: { ...placed, offerTime: startTime } }), /^follow$/],
    [
      'needs no challenge where the server remembers',
      withStatus({ order: order({ url: 'https://acme.example/o/1' }) }),
      /^follow$/,
    ],
    [
      'drops an order at another server',
      withStatus({ order: { ...placed, directoryURL: 'https://other.example' } }),
      /^begin/,
    ],
    [
      'gives up an order that takes too long',
      withStatus({ order: { ...placed, startTime: formatTime(sampleNowMs - orderPatienceMs - 1_000) } }),
      /^giveUp$/,
    ],
    [
      'gives up an order of the future: somebody set the clock back',
      withStatus({ order: { ...placed, startTime: formatTime(sampleNowMs + 2 * orderPatienceMs) } }),
      /^giveUp$/,
    ],
    [
      'ends an order whose certificate is there',
      withStatus({ order: placed }, { secret: sampleSecret(0) }),
      /^settle$/,
    ],
  ];
  for (const [what, observed, expected] of cases) {
    it(what, () => assert.match(shown(planCertificate(observed)), expected));
  }

  it('renews certificates made together not all at once, and the same one always at the same time', () => {
    const times = new Set(
      Array.from({ length: 50 }, (_, at) => {
        const secret = sampleSecret(0, { facts: { ...sampleFacts(0), serialNumber: `5F${at}` } });
        const step = planCertificate(sampleObservation({ secret }));
        assert.deepEqual(planCertificate(sampleObservation({ secret })), step);
        assert.ok(step.type === 'rest' && step.untilMs !== undefined);
        const days = (step.untilMs - sampleNowMs) / dayMs;
        assert.ok(days > 56.9 && days <= 60, `${days}`);
        return step.untilMs;
      }),
    );
    assert.ok(times.size > 40);
  });
});

describe('what people are told', () => {
  it('says whether it is ready, and names the Secret where not', () => {
    const of = (observed: Partial<CertificateObservation>) => {
      const { status, reason, message } = readinessOf(sampleObservation(observed));
      return `${status} ${reason} ${message}`;
    };
    assert.match(of({ secret: sampleSecret(1) }), /^True Valid holds until 2026-/);
    assert.match(of({}), /^False Pending Secret shop\/shop.example.org does not exist yet$/);
    assert.match(of({ certificate: imported }), /^False Missing .*flotilla certificate import$/);
    assert.match(of({ secret: sampleSecret(1, { isOwn: false }) }), /^False SecretTaken /);
    assert.match(
      of({ secret: sampleSecret(91) }),
      /^False Expired Secret shop\/shop.example.org: it ended 24 hours ago, at /,
    );
    assert.match(
      of({ secret: sampleSecret(1, { facts: sampleFacts(1, ['a.b', 'c.d']) }) }),
      /^False OtherHosts Secret shop\/shop.example.org is for a.b, c.d, not for all of shop.example.org$/,
    );
    assert.match(
      of({ secret: { isOwn: true, problem: 'it has no certificate in PEM' } }),
      /^False Invalid .*no certificate in PEM$/,
    );
    assert.match(of({ secret: sampleSecret(-1) }), /^False NotYetValid .*is a clock wrong\?$/);
  });

  it('warns a month before an imported one ends, and of one that renews itself when that did not work', () => {
    const warned = (usedDays: number, certificate = sampleCertificate()) =>
      expiryWarning(sampleObservation({ certificate, secret: sampleSecret(usedDays) }));
    assert.equal(warned(59, imported), undefined);
    assert.match(warned(61, imported) ?? '', /ends in 29 days, at .*: import a new one$/);
    assert.equal(warned(61), undefined, 'it is being renewed');
    assert.match(warned(76) ?? '', /ends in 14 days, at .*: it has not been renewed/);
    assert.match(warned(91, imported) ?? '', /it ended 24 hours ago/);
  });
});

// A model of one certificate, an ACME server that refuses and forgets, and leaders that go in the middle of everything.
interface Model {
  nowMs: number;
  /** What people asked for last. */
  request: string | undefined;
  status: CertificateStatus;
  secret: CertificateObservation['secret'];
  leader: { ownStartTime: string | undefined };
  /** Orders that were placed; how often each was finalized. */
  readonly orders: Map<string, number>;
  issued: number;
}

type Luck = 'wished' | 'works' | 'refused' | 'unreachable' | 'leaderGoes' | 'writeLost';

function play(model: Model, given: Luck): CertificateStep {
  if (given === 'wished') model.request = String(model.nowMs);
  const luck = given === 'wished' ? 'works' : given;
  const certificate = sampleCertificate({ status: model.status });
  const observed = sampleObservation({
    certificate,
    secret: model.secret,
    nowMs: model.nowMs,
    ownStartTime: model.leader.ownStartTime,
    request: model.request,
  });
  const step = planCertificate(observed);
  const fail = (keepsOrder: boolean): CertificateOutcome => ({
    ...{ type: 'failed', message: 'no', keepsOrder, nextAttemptMs: model.nowMs + 60_000 },
  });
  let outcome: CertificateOutcome = { type: 'none' };
  if (luck === 'leaderGoes') {
    model.leader = { ownStartTime: undefined };
    return step;
  }
  const { order: running } = model.status;
  switch (step.type) {
    case 'begin': {
      const started = formatTime(model.nowMs);
      model.leader.ownStartTime = started;
      outcome = { type: 'begun', order: order({ startTime: started }), why: step.why };
      break;
    }
    case 'place': {
      if (luck !== 'works' && luck !== 'writeLost') outcome = fail(false);
      else {
        const url = `https://acme.example/o/${model.orders.size}`;
        model.orders.set(url, 0);
        outcome = {
          type: 'placed',
          order: { ...order({ startTime: running?.startTime ?? '' }), url, challengeURLs: ['c'] },
          challenges: [],
        };
      }
      break;
    }
    case 'offer':
      outcome =
        luck === 'works' && running
          ? { type: 'offered', order: { ...running, offerTime: formatTime(model.nowMs) } }
          : fail(luck === 'unreachable');
      break;
    case 'follow': {
      const url = running?.url ?? '';
      if (luck === 'refused' || luck === 'unreachable') outcome = fail(luck === 'unreachable');
      else {
        if (model.orders.get(url) === 0) model.issued += 1; // finalizing one twice gives the same certificate
        model.orders.set(url, (model.orders.get(url) ?? 0) + 1);
        model.secret = sampleSecret(0, {
          facts: { ...sampleFacts(0), notBeforeMs: model.nowMs, notAfterMs: model.nowMs + 90 * dayMs },
        });
        outcome = { type: 'issued' };
      }
      break;
    }
    case 'settle':
      outcome = { type: 'settled' };
      break;
    case 'giveUp':
      outcome = fail(false);
      break;
    case 'rest':
      outcome = { type: 'none', ...(step.isCurrent ? { isCurrent: true } : {}) };
  }
  if (luck === 'writeLost') return step; // a newer leader has begun its term: nothing of this one counts
  model.status = statusAfter({ ...observed, secret: model.secret }, outcome);
  return step;
}

const fresh = (): Model => ({
  ...{ nowMs: sampleNowMs, request: undefined, status: {}, secret: undefined, leader: { ownStartTime: undefined } },
  ...{ orders: new Map(), issued: 0 },
});

describe('certificate plan, whatever happens', () => {
  const luck = fc.constantFrom<Luck>('wished', 'works', 'refused', 'unreachable', 'leaderGoes', 'writeLost');
  const runs = fc.array(fc.tuple(luck, fc.nat(40_000)), { maxLength: 40 });

  it('comes to a certificate, and then to rest', () => {
    fc.assert(
      fc.property(runs, (events) => {
        const model = fresh();
        for (const [one, passMs] of events) {
          play(model, one);
          model.nowMs += passMs;
        }
        for (let turns = 0; turns < 60; turns++) {
          const step = play(model, 'works');
          if (step.type === 'rest' && step.isCurrent) {
            assert.equal(model.status.order, undefined);
            assert.equal(model.status.followedRequest, model.request);
            assert.equal(model.status.nextAttemptTime, undefined);
            return;
          }
          model.nowMs = step.type === 'rest' ? Math.max(model.nowMs + 1_000, step.untilMs ?? 0) : model.nowMs + 1_000;
        }
        assert.fail(`no rest: ${JSON.stringify(model.status)}`);
      }),
      { numRuns: 500 },
    );
  });

  it('has one order issue one certificate, however many leaders it had', () => {
    fc.assert(
      fc.property(runs, (events) => {
        const model = fresh();
        for (const [one, passMs] of events) {
          const before = model.issued;
          const hadSecret = model.secret !== undefined;
          const isWished = one === 'wished' || model.request !== model.status.followedRequest;
          play(model, one);
          assert.ok(model.issued - before <= 1);
          if (hadSecret && !isWished) assert.equal(model.issued, before, 'nothing is issued beside one that holds');
          model.nowMs += passMs;
        }
      }),
      { numRuns: 500 },
    );
  });
});
