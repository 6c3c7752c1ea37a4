import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Ledger } from './ledger.ts';
import { secondsOfErrors, summarize, whatWasLost } from './summary.ts';
import { type Failure, type LoadReport, Tally } from './tally.ts';

const connections = {
  ...{ opened: 3, goaways: 1, unsent: 4, certificates: ['aa'], moved: 0 },
  closedIdle: { fin: 2, reset: 1, 'unasked bytes': 0 },
  webSockets: { opened: 5, echoes: 50, told: 2, cut: 1, notOpened: 0 },
};

function failure(id: string, stage: Failure['stage'], atMs = 1_000): Failure {
  return {
    ...{ id, atMs, phase: 'drains', kind: 'h2', target: '10.0.0.1:443', stage, error: 'it broke' },
    ...{ afterMs: 1, restedMs: 0, isSlow: false },
  };
}

/** 100 answered in `updates`; in `drains` 99, one failed, and one refused if it is asked for. */
function report(client: number, stages: readonly Failure['stage'][]): LoadReport {
  const tally = new Tally();
  tally.phase = 'updates';
  for (let ms = 0; ms < 100; ms++) tally.answered('h1-new', ms);
  tally.phase = 'drains';
  for (const [index, stage] of stages.entries()) tally.failed(100 + index, failure(`${client}-${100 + index}`, stage));
  for (let ms = 0; ms < 99; ms++) tally.answered('h2', ms);
  tally.lateness.add(client === 0 ? 1 : 70);
  return JSON.parse(JSON.stringify(tally.report(client, 199 + stages.length, connections)));
}

function done(reports: readonly LoadReport[]): Ledger {
  const ledger = new Ledger();
  for (const { client, sent, notAnswered } of reports)
    for (let number = 0; number < sent; number++)
      if (!notAnswered.includes(number)) ledger.record(`${client}-${number}`, 'web-1');
  return ledger;
}

describe('summary', () => {
  it('adds up what processes say, and tells refused requests from failed ones', () => {
    const reports = [report(0, ['unanswered']), report(1, ['refused'])];
    const runs = [{ name: 'drains', rounds: 2, seconds: 5, problems: ['round 1: no'] }];
    const summary = summarize(reports, done(reports).check(reports), runs, 10);
    const { requests, failed, refused, requestsPerSecond, isClientTooSlow } = summary;
    assert.deepEqual(
      { requests, failed, refused, requestsPerSecond, isClientTooSlow },
      {
        ...{ requests: 400, failed: 1, refused: 1, requestsPerSecond: 40, isClientTooSlow: true },
      },
    );
    assert.equal(summary.phases.updates?.requests, 200);
    const { drains } = summary.phases;
    assert.deepEqual([drains?.requests, drains?.failed, drains?.refused, drains?.rounds], [200, 1, 1, 2]);
    assert.deepEqual(summary.problems, ['drains: round 1: no']);
    assert.deepEqual(summary.failuresByKind, {
      'drains · h2 · unanswered · it broke': 1,
      'drains · h2 · refused · it broke': 1,
    });
    assert.deepEqual(summary.connections, {
      opened: 6,
      closedIdle: 4,
      resetIdle: 2,
      goaways: 2,
      unsent: 8,
      certificates: 1,
      moved: 0,
    });
    assert.match(whatWasLost(summary) ?? '', /^1 of 400 requests failed; 1 × drains/);
  });

  it('is content with requests that HTTP/2 said were not processed', () => {
    const reports = [report(0, ['refused'])];
    assert.equal(whatWasLost(summarize(reports, done(reports).check(reports), [], 1)), undefined);
  });

  it('is not content when one of them was processed', () => {
    const reports = [report(0, ['refused'])];
    const ledger = done(reports);
    ledger.record('0-100', 'web-1');
    const summary = summarize(reports, ledger.check(reports), [], 1);
    assert.match(whatWasLost(summary) ?? '', /0-100 was said to be not processed, and was/);
  });

  it('is not content with an answer that nobody has logged, nor with one that two have', () => {
    const reports = [report(0, [])];
    const ledger = done(reports);
    ledger.record('0-5', 'web-2');
    const twice = summarize(reports, ledger.check(reports), [], 1);
    assert.match(whatWasLost(twice) ?? '', /0-5 was done by web-1 and web-2/);
    const lost = summarize(reports, new Ledger().check(reports), [], 1);
    assert.match(whatWasLost(lost) ?? '', /0-0 was answered and is not in the log/);
  });

  it('measures errors by when the last request that failed was sent, not by when it was given up', () => {
    assert.equal(secondsOfErrors([], 1_000), 0);
    const slow = { ...failure('0-2', 'timeout', 12_250), afterMs: 10_000 };
    assert.equal(secondsOfErrors([failure('0-1', 'cut', 1_500), slow], 1_000), 1.25);
    assert.equal(secondsOfErrors([{ ...failure('0-1', 'cut', 1_100), afterMs: 2_000 }], 1_000), 0, 'sent before');
  });
});
