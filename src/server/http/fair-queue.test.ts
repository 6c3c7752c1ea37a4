import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { FairQueue, type Ticket } from './fair-queue.ts';

const limits = { running: 4, runningPerFlow: 3, waiting: 12, waitingPerFlow: 6 };
const flows = ['a', 'b', 'c'];

interface Entry {
  readonly ticket: Ticket;
  readonly number: number;
  state: 'waiting' | 'running' | 'over';
}

describe('a fair queue', () => {
  it('keeps its bounds, the order within a flow, turns between flows, and loses nobody', () => {
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.record({ type: fc.constant('enter' as const), flow: fc.constantFrom(...flows) }) },
      { weight: 4, arbitrary: fc.record({ type: fc.constant('leave' as const), at: fc.nat(50) }) },
      { weight: 1, arbitrary: fc.record({ type: fc.constant('cancel' as const), at: fc.nat(50) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const queue = new FairQueue(limits);
        const entries: Entry[] = [];
        const of = (state: Entry['state'], flow?: string) =>
          entries.filter((one) => one.state === state && (flow === undefined || one.ticket.flow === flow));
        /** For each flow: how often another flow was served while it waited with a seat left. */
        const passedBy = new Map<string, Map<string, number>>();
        const onStart = (entry: Entry) => {
          for (const earlier of of('waiting', entry.ticket.flow)) assert.ok(earlier.number >= entry.number, 'in order');
          entry.state = 'running';
          passedBy.delete(entry.ticket.flow);
          for (const flow of flows) {
            if (flow === entry.ticket.flow || of('waiting', flow).length === 0) continue;
            if (of('running', flow).length >= limits.runningPerFlow) passedBy.delete(flow);
            else {
              const times = passedBy.get(flow) ?? new Map<string, number>();
              times.set(entry.ticket.flow, (times.get(entry.ticket.flow) ?? 0) + 1);
              assert.ok(times.get(entry.ticket.flow)! <= 1, `${entry.ticket.flow} twice while ${flow} waits`);
              passedBy.set(flow, times);
            }
          }
        };
        const check = () => {
          assert.equal(queue.running, of('running').length);
          assert.equal(queue.waiting, of('waiting').length);
          assert.ok(queue.running <= limits.running && queue.waiting <= limits.waiting);
          for (const flow of flows) {
            assert.ok(of('running', flow).length <= limits.runningPerFlow);
            assert.ok(of('waiting', flow).length <= limits.waitingPerFlow);
            const isHeldUp = of('waiting', flow).length > 0 && of('running', flow).length < limits.runningPerFlow;
            assert.ok(!isHeldUp || queue.running === limits.running, 'nobody waits beside a free seat');
          }
        };
        steps.forEach((one, number) => {
          if (one.type === 'enter') {
            const { flow } = one;
            const wasFull =
              of('waiting').length === limits.waiting || of('waiting', flow).length === limits.waitingPerFlow;
            const entry: Entry = { number, state: 'waiting', ticket: { flow, start: () => onStart(entry) } };
            entries.push(entry);
            if (!queue.enter(entry.ticket)) {
              entries.pop();
              assert.ok(wasFull, 'refused only when full');
            }
          } else {
            const chosen = of(one.type === 'leave' ? 'running' : 'waiting');
            const entry = chosen[one.at % Math.max(1, chosen.length)];
            if (!entry) return;
            entry.state = 'over';
            if (one.type === 'leave') queue.leave(entry.ticket.flow);
            else assert.equal(queue.cancel(entry.ticket), true);
          }
          check();
        });
        for (let entry = of('running')[0]; entry; entry = of('running')[0]) {
          entry.state = 'over';
          queue.leave(entry.ticket.flow);
          check();
        }
        assert.equal(of('waiting').length, 0);
      }),
      { numRuns: 300 },
    );
  });

  it('serves a quiet user beside a flood of another within one turn', () => {
    const queue = new FairQueue({ running: 2, runningPerFlow: 2, waiting: 1_000, waitingPerFlow: 900 });
    const started: string[] = [];
    for (let at = 0; at < 500; at += 1) queue.enter({ flow: 'loud', start: () => started.push('loud') });
    queue.enter({ flow: 'quiet', start: () => started.push('quiet') });
    queue.leave('loud');
    queue.leave('loud');
    assert.deepEqual(started, ['loud', 'loud', 'quiet', 'loud']);
  });
});
