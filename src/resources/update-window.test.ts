import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatWindow, isInWindow, isTimezone, parseWindowTimes, windowOpensAtMs } from './update-window.ts';

function windowOf(text: string, timezone = 'UTC') {
  const times = parseWindowTimes(text);
  assert.ok(times, text);
  return { ...times, timezone };
}

const opens = (text: string, timezone: string, now: string) =>
  new Date(windowOpensAtMs(windowOf(text, timezone), Date.parse(now))).toISOString();

describe('update window', () => {
  it('is two times of a day', () => {
    assert.deepEqual(parseWindowTimes('02:00-04:30'), { startMinutes: 120, endMinutes: 270 });
    assert.deepEqual(parseWindowTimes('20:00-24:00'), { startMinutes: 1_200, endMinutes: 1_440 });
    for (const text of [
      '',
      '2:00-4:00',
      '02:00',
      '25:00-26:00',
      '02:00-02:00',
      '02:00-24:01',
      '02:60-03:00',
      ' 02:00-04:00',
    ])
      assert.equal(parseWindowTimes(text), undefined, text);
    assert.equal(formatWindow(windowOf('02:00-04:30', 'Europe/Helsinki')), '02:00-04:30 Europe/Helsinki');
    assert.equal(isTimezone('Europe/Helsinki'), true);
    assert.equal(isTimezone('Europe/Helsinky'), false);
  });

  it('opens next in local time', () => {
    const cases: [window: string, timezone: string, now: string, expected: string][] = [
      ['02:00-04:00', 'UTC', '2026-03-01T01:59:30Z', '2026-03-01T02:00:00.000Z'],
      ['02:00-04:00', 'UTC', '2026-03-01T03:59:59.999Z', '2026-03-01T03:59:59.999Z'],
      ['02:00-04:00', 'UTC', '2026-03-01T04:00:00Z', '2026-03-02T02:00:00.000Z'],
      ['22:00-02:00', 'UTC', '2026-03-01T01:00:00Z', '2026-03-01T01:00:00.000Z'],
      ['22:00-02:00', 'UTC', '2026-03-01T02:00:00Z', '2026-03-01T22:00:00.000Z'],
      ['02:00-04:00', 'Europe/Helsinki', '2026-01-10T12:00:00Z', '2026-01-11T00:00:00.000Z'],
      ['02:00-04:00', 'Asia/Kolkata', '2026-01-10T12:00:00Z', '2026-01-10T20:30:00.000Z'],
      // The clock goes from 03:00 to 04:00 on this night.
      ['02:00-04:00', 'Europe/Helsinki', '2026-03-28T12:00:00Z', '2026-03-29T00:00:00.000Z'],
      ['03:15-03:45', 'Europe/Helsinki', '2026-03-28T12:00:00Z', '2026-03-30T00:15:00.000Z'],
      ['05:00-06:00', 'Europe/Helsinki', '2026-03-29T00:30:00Z', '2026-03-29T02:00:00.000Z'],
      // And back from 04:00 to 03:00 on this one.
      ['05:00-06:00', 'Europe/Helsinki', '2026-10-24T23:00:00Z', '2026-10-25T03:00:00.000Z'],
    ];
    for (const [window, timezone, now, expected] of cases) assert.equal(opens(window, timezone, now), expected, now);
  });

  it('opens within two days, and is open then', () => {
    const minute = fc.integer({ min: 0, max: 1_439 });
    const zone = fc.constantFrom('UTC', 'Europe/Helsinki', 'America/New_York', 'Australia/Lord_Howe', 'Asia/Kolkata');
    const now = fc.integer({ min: Date.UTC(2025, 0), max: Date.UTC(2028, 0) });
    fc.assert(
      fc.property(minute, minute, zone, now, (startMinutes, endMinutes, timezone, nowMs) => {
        fc.pre(startMinutes !== endMinutes);
        const window = { startMinutes, endMinutes, timezone };
        const atMs = windowOpensAtMs(window, nowMs);
        assert.ok(isInWindow(window, atMs), new Date(atMs).toISOString());
        assert.ok(atMs >= nowMs && atMs - nowMs <= 49 * 3_600_000, `${(atMs - nowMs) / 3_600_000} h`);
      }),
    );
  });
});
